"""What docs/opening.md says of each kind of run and each command is what the program does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from promptrial import registry
from promptrial.engine.opening import Found, New, Older, OnRecord, Started, StateLost
from promptrial.engine.opening.found import find
from promptrial.store.rundir import RunDir
from tests.support import fake_provider, older_runs
from tests.support.fake_provider import FakeProvider
from tests.support.project import Outcome, Project
from tests.support.remembered import remember_pure_functions

PAGE: Final = (Path(__file__).parents[2] / "docs/opening.md").read_text(encoding="utf-8")
FLAG: Final = ("--temps", "0.5")
WITH_A_FLAG: Final = ("started, with a flag", "on record", "state lost")
REQUESTS: Final = 24
"""How many a run of the project sends with a sample of six items."""


def table(first_heading: str) -> tuple[list[str], dict[str, list[str]]]:
    """Return the headings of a table of the page, and its rows by their first cells."""
    block = next(each for each in PAGE.split("\n\n") if each.startswith(f"| {first_heading} |"))
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
    return head[1:], {row[0]: row[1:] for row in rows}


COMMANDS, CELLS = table("found | `run`")
OUTCOMES: Final = table("in the table")[1]


# --- what is found ----------------------------------------------------------------------------------------------------


def nothing(_: Project) -> None:
    """Leave the folder of experiments as it is."""


def started(project: Project, *flags: str) -> None:
    project.run("--to_step", "prepare", *flags)
    (project.run_root() / "run_state.json").unlink()
    shutil.rmtree(project.run_root() / "prepared")


def started_with_a_flag(project: Project) -> None:
    started(project, *FLAG)


def started_and_answered(project: Project) -> None:
    project.run("--to_step", "poll")
    (project.run_root() / "run_state.json").unlink()


def on_record(project: Project) -> None:
    project.run("--to_step", "poll", *FLAG)


def state_lost(project: Project) -> None:
    on_record(project)
    path = project.run_root() / "run_state.json"
    path.write_bytes(path.read_bytes()[:-30])


def not_migrated(project: Project) -> None:
    older_runs.lay_out_run(project.run_root(), "v1")
    older_runs.lay_out_prepared(project.run_root() / "prepared")


def migrated(project: Project) -> None:
    not_migrated(project)
    project.call("resume", "r")


FOUND: Final[Mapping[str, tuple[Callable[[Project], None], type[Found]]]] = {
    "new": (nothing, New),
    "started": (started, Started),
    "started, with a flag": (started_with_a_flag, Started),
    "started, and answered": (started_and_answered, Started),
    "on record": (on_record, OnRecord),
    "state lost": (state_lost, StateLost),
    "older, not migrated": (not_migrated, Started),
    "older": (migrated, Older),
}
CHANGED: Final = ", configuration changed"
ANSWERED: Final = ("started, and answered", "on record", "state lost")


class Places:
    """A folder in which each kind of run is laid out, always at the same path: a state holds absolute ones."""

    def __init__(self, folder: Path) -> None:
        self.work, self.kept = folder / "work", folder / "kept"

    def lay_out(self, found: str) -> Project:
        """Return a project with a run of one kind, made once and then copied."""
        kept = self.kept / found
        if kept.exists():
            shutil.rmtree(self.work)
            shutil.copytree(kept, self.work)
            return Project(self.work)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.work)
            project = Project.make(self.work)
            project.write_config({"limit_items": 6})
            FOUND[found][0](project)
        shutil.copytree(self.work, kept)
        return project


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    return Places(tmp_path_factory.mktemp("opening"))


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")
    remember_pure_functions(monkeypatch)
    yield
    fake_provider.CALLS.clear()


@pytest.mark.parametrize("found", FOUND)
def test_each_prepared_run_is_recognised_as_the_kind_of_its_row(
    places: Places, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    project = places.lay_out(found)
    monkeypatch.chdir(project.root)
    assert type(find(RunDir(Path("experiments"), "r"))) is FOUND[found][1]


# --- what happens -----------------------------------------------------------------------------------------------------


def words(command: str) -> list[str]:
    """Return a command of the table with the name of the run."""
    verb, *flags = command.strip("`").split()
    return [verb, "--run_id", "r", *flags]


class Seen(NamedTuple):
    """What a command has done to the run in a folder."""

    root: Path
    outcome: Outcome
    sent: int
    before: Mapping[str, str]
    after: Mapping[str, str]

    @property
    def state(self) -> dict[str, Any]:
        """What the state says now."""
        found: dict[str, Any] = json.loads((self.root / "run_state.json").read_bytes())
        return found


def sends_all(_: str, seen: Seen) -> None:
    assert seen.sent == REQUESTS
    assert seen.state["phases"]["report"]["status"] == "completed"


def sends_what_is_left(found: str, seen: Seen) -> None:
    assert seen.sent == (0 if found in ANSWERED else REQUESTS)
    assert seen.state.get("overrides") == ({"temps": [0.5]} if found in WITH_A_FLAG else None)
    assert seen.state["phases"]["report"]["status"] == "completed"


def does_one_phase(_: str, seen: Seen) -> None:
    made = {Path(path).name for path in seen.after.keys() - seen.before.keys()}
    assert "predictions.csv" in made
    assert "per_item_scores.csv" not in made


def is_recorded(_: str, seen: Seen) -> None:
    [forced] = seen.state["drift"]
    assert [line.partition(":")[0] for line in forced["keys"]] == ["prompt_sets.main.treatment.text"]
    assert seen.sent == REQUESTS // 2


def migrates(_: str, seen: Seen) -> None:
    assert seen.state["migrated"] is True
    assert seen.sent == 0


def only_records(_: str, seen: Seen) -> None:
    assert seen.state["config_hash"]
    assert not [path for path in seen.after if "prepared" in path or "batch_inputs" in path]


def changes_nothing(_: str, seen: Seen) -> None:
    assert (seen.sent, seen.after) == (0, seen.before)


DONE: Final[Mapping[str, Callable[[str, Seen], None]]] = {
    "sends all requests": sends_all,
    "sends the requests that have no answer yet": sends_what_is_left,
    "runs this phase alone": does_one_phase,
    "records the change, and sends the requests that it affects": is_recorded,
    "sends nothing again": migrates,
    "records the run, and nothing else": only_records,
    "changes nothing": changes_nothing,
}
"""How the last column of the table of outcomes is seen."""


def files(project: Project) -> dict[str, str]:
    """Return the digests of a run's files, without the log and the lock."""
    found = project.snapshot() if project.run_root().exists() else {}
    return {path: digest for path, digest in found.items() if path not in {"run.log", ".state.lock", "digests.json"}}


def carried_out(project: Project, command: str) -> Seen:
    """Carry out a command on the run of a project."""
    fake_provider.CALLS.clear()
    before, outcome = files(project), project.call(*words(command))
    return Seen(project.run_root(), outcome, fake_provider.CALLS.total(), before, files(project))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("row", CELLS)
def test_a_command_does_to_a_run_what_the_table_says(
    places: Places, monkeypatch: pytest.MonkeyPatch, row: str, command: str
) -> None:
    exit_code, says, does = OUTCOMES[CELLS[row][COMMANDS.index(command)]]
    found = row.removesuffix(CHANGED)
    project = places.lay_out(found)
    monkeypatch.chdir(project.root)
    if row != found:
        (project.root / "config/treatment.txt").write_text("Something else.\n")
    if "--dry_run" in command:
        monkeypatch.setattr(FakeProvider, "local", False)
    seen = carried_out(project, command)
    assert seen.outcome.code == int(exit_code), seen.outcome.err
    assert says in re.sub(r"\s+", " ", seen.outcome.out + seen.outcome.err)
    DONE[does](found, seen)


def test_the_page_explains_every_outcome_of_the_table_and_no_other() -> None:
    assert {cell for cells in CELLS.values() for cell in cells} == set(OUTCOMES)


def test_the_table_has_every_kind_of_run_that_the_program_distinguishes() -> None:
    assert {row.removesuffix(CHANGED) for row in CELLS} == set(FOUND)
    named = {name.replace(" ", "") for name in table("found | on disk")[1]}
    assert named == {"new", "started", "onrecord", "statelost", "older"}
    assert named == {kind.__name__.lower() for kind in (New, Started, OnRecord, StateLost, Older)}
