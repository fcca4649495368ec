"""Where crash tests work: a small two-trial experiment, runs of it in forked processes, and what must hold after each.

Everything is imported, and run once, before the first fork, so that a run takes a fraction of a second. The pure and
slow parts (self-test of the scorer, statistics) are computed once and remembered: what dies here is the shell.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from promptrial import registry
from promptrial.errors import PromptrialError
from promptrial.store import records
from promptrial.store.records import Manifest, RunState, TrialManifest
from tests.support import crash_points
from tests.support.crash_vendor import FOLDER, Ledger, note_promises
from tests.support.project import Outcome, Project
from tests.support.remembered import remember_pure_functions

RUN: Final = Path("experiments/run_r")
_TIME: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_CHECKPOINT: Final = re.compile(rb'"last_checkpoint": (null|\{[^}]*\})')
_PLACE: Final = re.compile(rb'"config_path": "[^"]*"')
_OPEN_ENDED: Final = frozenset({"results.partial.jsonl", "jobs.journal.jsonl", "looks.jsonl", "run.log"})


class Scenario(NamedTuple):
    """What is done before the run that is killed, the flags of that run, and the exit code that it ends with.

    The resume adds ``--resume`` to the flags, or has flags of its own.
    """

    prepare: Callable[[Project], None]
    flags: tuple[str, ...] = ()
    code: int = 0
    resume: tuple[str, ...] | None = None


def _nothing(_project: Project) -> None:
    pass


def _damage(project: Project) -> None:
    """Finish a run, then garble some answers, tear a table and empty a document."""
    _require(project.run())
    results = sorted(project.run_root().glob("*/results"))
    answers = results[0] / "t0_control_p001" / "results.jsonl"
    answers.write_bytes(answers.read_bytes()[:-9] + b"garbled!\n")
    table = results[1] / "predictions.csv"
    table.write_bytes(table.read_bytes()[:100])
    (results[1] / "costs.json").write_bytes(b"")


def _reword(project: Project) -> None:
    """Finish a run, then change one trial's treatment."""
    _require(project.run())
    (project.root / "config" / "treatment.txt").write_text("Be careful and accurate.\n")


def _finish(project: Project) -> None:
    """Finish a run."""
    _require(project.run())


def _correct(project: Project) -> None:
    """Finish a run, then correct the accepted answer of each question."""
    _require(project.run())
    for path in (project.root / "config").glob("*.jsonl"):
        rows = map(json.loads, path.read_text().splitlines())
        path.write_text("".join(json.dumps(row | {"answers": ["corrected"]}) + "\n" for row in rows))


def _finish_another(project: Project) -> None:
    """Finish a run of another name, then change one trial's treatment."""
    _require(project.run(run_id="old"))
    (project.root / "config" / "treatment.txt").write_text("Be careful and accurate.\n")


def _ask_in_waves(project: Project) -> None:
    """Let the run ask its questions in three waves."""
    tree = yaml.safe_load(project.config.read_text())
    tree |= {"limit_items": 3, "stopping": {"rule": "evalue", "looks": 3}}
    project.config.write_text(yaml.safe_dump(tree))


def _ask_judges(project: Project) -> None:
    """Let two judges score the answers, one by one and in pairs."""
    rubric = project.root / "config" / "rubric.md"
    rubric.write_text("1 if the answer is right, otherwise 0.\n")
    tree = yaml.safe_load(project.config.read_text())
    judge = {"model": "judge", "file": "rubric.md"}
    tree["models"]["judge"] = {"id": "judge-1", "provider": "fake"}
    tree["scorers"] = {"em": {}, "quality": {"type": "judge", **judge}, "better": {"type": "pairwise_judge", **judge}}
    project.config.write_text(yaml.safe_dump(tree))


def _interrupt(project: Project) -> None:
    """Kill a run in the middle of the third answer that it records."""

    def work() -> Outcome:
        crash_points.kill_amid("results.partial.jsonl", 3)
        return project.run()

    if in_fork(project.root, work).code != -signal.SIGKILL:
        raise RuntimeError("the run was not killed")


SCENARIOS: Final = {
    "first run": Scenario(_nothing),
    "second crash": Scenario(_interrupt, ("--resume",)),
    "repair": Scenario(_damage, ("--resume",)),
    "changed prompt": Scenario(_reword, ("--resume", "--force")),
    "corrected": Scenario(_correct, ("--resume",)),
    "reuse": Scenario(_finish_another, ("--reuse=old",)),
    "grown": Scenario(_finish, ("--resume", "--limit_items=2")),
    "pilot": Scenario(_nothing, ("--limit_items=2", "--pilot=1"), code=5),
    "waves": Scenario(_ask_in_waves),
    "judged": Scenario(_ask_judges),
    "beyond a pilot": Scenario(_nothing, ("--limit_items=2", "--pilot=1", "--yes"), resume=("--yes",)),
}


@dataclass(frozen=True)
class Ended:
    """How a forked process ended: its exit code, or minus the signal that killed it, and what it said."""

    code: int
    said: str


def warm_up(root: Path) -> None:
    """Import everything that a run uses, and fill what is remembered. Side effects: see the top; changes the folder."""
    registry.PROVIDERS["fake"] = "tests.support.crash_vendor:Vendor"  # type: ignore[index]
    remember_pure_functions()
    _require(_experiment(root / "warm").run())


def _experiment(root: Path) -> Project:
    """Make two trials that share no prompt, of two requests an arm, in the folder that becomes the current one."""
    root.mkdir()
    os.chdir(root)
    project = Project.make(root)
    for name, text in {"plain.txt": "Answer plainly.", "other.txt": "Be brief and accurate."}.items():
        (root / "config" / name).write_text(text + "\n")
    project.write_config(
        {
            "limit_items": 1,
            "parts_per_dataset": 1,
            "prompt_sets": {
                "main": {"control": "control.txt", "treatment": "treatment.txt"},
                "other": {"control": "plain.txt", "treatment": "other.txt"},
            },
            "sweep": {"prompt_sets": ["main", "other"]},
        }
    )
    (root / FOLDER).mkdir()
    return project


def in_fork(folder: Path, work: Callable[[], Outcome | None]) -> Ended:
    """Do some work in a copy of this process, in a folder."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.chdir(folder)
            outcome = work()
            code = outcome.code if outcome else 0
            if code:
                Path("said").write_text(outcome.err if outcome else "")
        except BaseException:  # noqa: BLE001 - the edge of the process: said, and the exit code tells
            Path("said").write_text(traceback.format_exc())
        finally:
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said = folder / "said"
    return Ended(code, said.read_text() if said.exists() and code != -signal.SIGKILL else "")


class Lab:
    """A scenario made ready in a folder, and what its uninterrupted run ends with.

    Parameters
    ----------
    root : Path
        An empty folder.
    scenario : Scenario
    """

    def __init__(self, root: Path, scenario: Scenario) -> None:
        self._root = root
        self._scenario = scenario
        self._folders = 0
        self._seen: dict[str, list[str]] = {}
        self._start = root / "start"
        scenario.prepare(_experiment(self._start))

    def measure(self, run: Callable[[], Outcome] | None = None, *, each_job_once: bool) -> Path:
        """Run the scenario undisturbed, and keep what it ends with; from now on promises are noted.

        ``run`` runs it, watched, so that one run shows both what can crash and what has to come out. Returns the folder
        of that run.

        With ``each_job_once`` no job may ever be created twice. A vendor without a lookup can be asked again for a job
        whose answer was never recorded; then only jobs on record may not be created again.
        """
        note_promises()
        self._each_job_once = each_job_once
        self._damaged = set(wreck_problems(self._start))
        whole = self.folder()
        self.require(in_fork(whole, run or self.run))
        self._expected = portrait(whole)
        self._last_work = _last_work(whole)
        self._requests = set(Ledger.read(whole).answers)
        return whole

    def folder(self, *, empty: bool = False) -> Path:
        """Return a new folder in which the scenario can be run; with ``empty``, one without run and vendor."""
        self._folders += 1
        folder = self._root / str(self._folders)
        folder.mkdir()
        (folder / "config").symlink_to(self._start / "config")
        for name in () if empty else ("experiments", "vendor"):
            if (self._start / name).exists():
                shutil.copytree(self._start / name, folder / name)
        return folder

    def run(self) -> Outcome:
        """Run the scenario in the current folder."""
        return Project(Path()).run(*self._scenario.flags)

    def _resume(self) -> Outcome:
        """Resume the run, or start it again by the same command if its state was not written."""
        started, own = (RUN / "run_state.json").exists(), self._scenario.resume
        flags = set(self._scenario.flags if own is None or not started else own) | ({"--resume"} if started else set())
        return Project(Path()).run(*sorted(flags))

    def require(self, ended: Ended) -> None:
        """Raise an error if an undisturbed run did not succeed."""
        if ended.code != self._scenario.code:
            raise RuntimeError(f"an undisturbed run ended with {ended.code}: {ended.said}")

    def problems(self, folder: Path) -> tuple[list[str], bool]:
        """Return what is wrong with what an interrupted run left, and with how its resume ends.

        The second value says whether the run was resumed at all: of two folders that look the same, one is.
        """
        problems = [problem for problem in wreck_problems(folder) if problem not in self._damaged]
        sight = _digest(sorted(portrait(folder, wreck=True).items()), Ledger.read(folder))
        if sight in self._seen:
            return problems + self._seen[sight], False
        self._seen[sight] = self._resume_problems(folder)
        return problems + self._seen[sight], True

    def _resume_problems(self, folder: Path) -> list[str]:
        before = Ledger.read(folder)
        ended = in_fork(folder, self._resume)
        if ended.code != self._scenario.code:
            return [f"the resume ended with {ended.code}: {ended.said.strip()[-600:]}"]
        return [
            *_differences(self._expected, portrait(folder)),
            *wreck_problems(folder, finished=True),
            *([] if self._scenario.flags or _last_work(folder) == self._last_work else ["the checkpoint differs"]),
            *self._ledger_problems(before, Ledger.read(folder)),
        ]

    def _ledger_problems(self, before: Ledger, after: Ledger) -> list[str]:
        asked = Counter(after.answers[len(before.answers) :])
        made = after.jobs[len(before.jobs) :]
        kept = set(before.promises)
        return [
            *(f"{name}: asked for again, though its row was durable" for name in asked if name in kept),
            *(f"{name}: asked for {times} times by one process" for name, times in asked.items() if times > 1),
            *(f"{name}: never answered" for name in self._requests if name not in after.answers),
            *(f"{name}: created again, though it was on record" for name in made if name in kept),
            *(f"{name}: created twice" for name in made if self._each_job_once and after.jobs.count(name) > 1),
        ]


def wreck_problems(folder: Path, *, finished: bool = False) -> list[str]:
    """Return which records do not load and which lines do not parse, below a folder.

    A last line may be torn where lines are appended, unless the run has ``finished``.
    """
    problems: list[str] = []
    kinds: dict[str, type[RunState | TrialManifest]] = {
        "run_state.json": RunState,
        "trial_manifest.json": TrialManifest,
    }
    for path in sorted((folder / RUN).rglob("*")) if (folder / RUN).exists() else []:
        if path.name.endswith("manifest.json") or path.name in kinds:
            problems += _record_problem(path, kinds.get(path.name, Manifest))
        elif path.suffix == ".jsonl" or path.name == "run.log":
            problems += _line_problems(path, may_be_torn=path.name in _OPEN_ENDED and not finished)
    return problems


def _record_problem(path: Path, kind: type[RunState | TrialManifest | Manifest]) -> list[str]:
    try:
        record = records.load(path, kind)
    except PromptrialError as error:
        return [f"{path.name} does not load: {error}"]
    if isinstance(record, RunState) and list(record.phases) != list(registry.PHASES):
        return [f"{path.name} has the phases {list(record.phases)}"]
    return []


def _line_problems(path: Path, *, may_be_torn: bool) -> list[str]:
    *lines, tail = path.read_bytes().split(b"\n")
    problems = [] if may_be_torn or not tail else [f"{path.name} ends in the middle of a line"]
    for number, line in enumerate(lines, 1):
        try:
            json.loads(line)
        except ValueError:
            problems.append(f"{path.name}:{number} is torn: {line[:80]!r}")
    return problems


def portrait(folder: Path, *, wreck: bool = False) -> dict[str, str]:
    """Return path -> SHA-256 of every file of a run that has to be the same each time, with times in records masked.

    Of a ``wreck`` the portrait says what a resume could see: of temporary files only that they are there, of the log
    only how it ends.
    """
    found: dict[str, str] = {}
    for path in sorted((folder / RUN).rglob("*")):
        name = path.relative_to(folder / RUN).as_posix()
        if not path.is_file() or name == ".state.lock":
            continue
        if name == "run.log":
            if wreck:
                found[name] = str(path.read_bytes().endswith(b"\n"))
        elif wreck and name.endswith(".tmp"):
            found[re.sub(r"\.\d+\.tmp$", ".tmp", name)] = ""
        else:
            found[name] = hashlib.sha256(_masked(name, path.read_bytes())).hexdigest()
    return found


def _last_work(folder: Path) -> tuple[str, str | None] | None:
    last = records.load(folder / RUN / "run_state.json", RunState).last_checkpoint
    return (last.phase, last.trial_slug) if last is not None else None


def _masked(name: str, data: bytes) -> bytes:
    """Take out of a record what may differ.

    Those are times, the folder of a copy of the run, and which work came last, because not every process does
    the same.
    """
    if name.endswith(("manifest.json", "run_state.json", "journal.jsonl", "looks.jsonl")) or "/reused.a" in name:
        data = _TIME.sub(b"T", data)
    return _PLACE.sub(b"", _CHECKPOINT.sub(b"", data)) if name == "run_state.json" else data


def _differences(expected: dict[str, str], found: dict[str, str]) -> Iterable[str]:
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            what = "is missing" if name not in found else "is left over" if name not in expected else "differs"
            yield f"{name} {what}"


def _digest(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()


def _require(outcome: Outcome) -> None:
    if outcome.code != 0:
        raise RuntimeError(f"an undisturbed run ended with {outcome.code}: {outcome.err}")
