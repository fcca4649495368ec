"""Results that are not as their phase left them: no command shows them, each names the file and what makes it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import promptrial
from promptrial.errors import CorruptRecordError
from tests.support.project import Project

RESUME = "promptrial run --run_id r --resume"
SHOW, REPORT = ("show", "r"), ("report", "r", "--out", "page.html")
DRAW, READ, AA = ("label", "r", "--out", "new.csv"), ("label", "r", "--read", "labels.csv"), ("aa", "r")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _change(path: Path) -> None:
    found = json.loads(path.read_text())
    row = next(each for each in found["endpoints"] if each["difference"] is not None)
    row["difference"] = 0.5
    path.write_text(json.dumps(found))


DAMAGE: dict[str, Callable[[Path], None]] = {"cut": _cut, "deleted": Path.unlink, "changed": _change}
CASES = [
    *(
        (command, name, damage)
        for damage in ("cut", "deleted")
        for name in ("per_item_scores.parquet", "predictions.parquet", "scorers.json")
        for command in (SHOW, REPORT, DRAW, AA)
    ),
    *((REPORT, name, damage) for damage in ("cut", "deleted") for name in ("costs.json", "parse_report.json")),
    *((command, "significance.json", damage) for damage in DAMAGE for command in (REPORT, READ)),
]


@pytest.fixture
def finished(project: Project) -> Project:
    """A run whose scorers are on record, and a sheet of labels for it."""
    project.write_config({"scorers": {"f1": {"type": "f1"}, "em": {"type": "em"}, "words": {"type": "length"}}})
    project.given_run()
    assert project.call("label", "r", "--out", "labels.csv", "--measure", "em").code == 0
    return project


@pytest.mark.parametrize(("command", "name", "damage"), CASES)
def test_a_command_refuses_a_changed_result_file_and_says_how_to_repair_it(
    finished: Project, command: tuple[str, ...], name: str, damage: str
) -> None:
    DAMAGE[damage](finished.trial_folder() / "results" / name)
    outcome = finished.call(*command)
    assert outcome.code == 1, outcome.err
    assert not outcome.out
    assert f"{name} {'missing' if damage == 'deleted' else 'damaged'}" in outcome.err
    assert RESUME in outcome.err
    assert "unexpected" not in outcome.err
    assert not (finished.root / "page.html").exists()


@pytest.mark.parametrize("name", ["per_item_scores.parquet", "predictions.parquet", "significance.json", "costs.json"])
@pytest.mark.parametrize("damage", ["cut", "deleted"])
def test_the_python_api_refuses_a_changed_file_with_our_own_error(finished: Project, name: str, damage: str) -> None:
    DAMAGE[damage](finished.trial_folder() / "results" / name)
    with pytest.raises(CorruptRecordError, match=name) as found:
        promptrial.load_run("experiments/run_r")
    assert RESUME in (found.value.hint or "")


def test_a_changed_question_is_not_shown(finished: Project) -> None:
    path = finished.run_root() / "prepared" / "open_book.jsonl"
    path.write_text(path.read_text().replace("tides", "times"))
    for command in (SHOW, REPORT, READ):
        outcome = finished.call(*command)
        assert (outcome.code, outcome.out) == (1, "")
        assert "open_book.jsonl damaged" in outcome.err
        assert RESUME in outcome.err


def test_the_printed_command_repairs_the_run(finished: Project) -> None:
    assert finished.call(*REPORT).code == 0
    page = (finished.root / "page.html").read_bytes()
    (finished.root / "page.html").unlink()
    for name in ("per_item_scores.parquet", "significance.json"):
        _cut(finished.trial_folder() / "results" / name)
    assert finished.call(*REPORT).code == 1
    assert finished.call("run", "--run_id", "r", "--resume").code == 0
    assert finished.call(*REPORT).code == 0
    assert (finished.root / "page.html").read_bytes() == page
