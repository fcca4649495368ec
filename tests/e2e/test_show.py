"""``promptrial show``: the items of a run in a terminal, and for programs."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest

import promptrial
from promptrial.documents.printable import FORMULA_STARTS
from promptrial.phases.side_by_side import Answer, SideBySide
from tests.support import fake_provider
from tests.support.project import Outcome, Project


@pytest.fixture
def finished(project: Project) -> Project:
    project.given_run()
    return project


def items(project: Project, *flags: str) -> list[dict[str, Any]]:
    outcome = project.call("show", "r", *flags, "--json")
    assert outcome.code == 0, outcome.err
    found: list[dict[str, Any]] = json.loads(outcome.out)
    return found


def test_without_an_item_every_item_has_a_line_and_one_for_each_answer(finished: Project) -> None:
    outcome = finished.call("show", "r")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert sum(line.strip().startswith("control:") for line in lines) == 14
    assert sum(line.strip().startswith("treatment:") for line in lines) == 14
    assert "14 items." in outcome.out
    assert lines[-1] == "Judged by: Exact match."


def test_while_a_run_is_running_show_and_compare_say_to_wait(project: Project) -> None:
    project.given_run(run_id="a")
    seen: list[Outcome] = []

    def look(_: object) -> None:
        if len(seen) < 3:
            seen.extend(project.call(*words) for words in (("show", "r"), ("compare", "a", "r"), ("compare", "r", "a")))

    fake_provider.BEFORE_ROW.append(look)
    assert project.run("--to_step", "poll").code == 0
    for outcome in seen:
        assert outcome.code == 2
        said = "a process works on this run; wait until it is finished: promptrial status --run_id r --watch"
        assert outcome.err.splitlines()[-1] == f"  next: {said}"
    fake_provider.BEFORE_ROW.clear()
    assert "promptrial run --run_id r --resume" in project.call("show", "r").err


def test_filters_select_by_what_changed_and_together_cover_all_items(finished: Project) -> None:
    everything = items(finished)
    by_flag = {flag: items(finished, f"--{flag}") for flag in ("fixed", "broken", "missing")}
    for flag, found in by_flag.items():
        assert [each["number"] for each in found] == [e["number"] for e in everything if e["outcome"] == flag]
    changed = items(finished, "--changed")
    assert len(changed) == len(by_flag["fixed"]) + len(by_flag["broken"])
    assert [each["number"] for each in changed] == sorted(each["number"] for each in changed)


def test_an_item_is_found_by_its_id_its_key_and_its_number(finished: Project) -> None:
    first = items(finished)[3]
    for name in (first["id"], f"{first['dataset']}|{first['id']}", "4"):
        assert items(finished, name) == [first], name
    text = finished.call("show", "r", first["id"]).out
    assert first["question"] in text
    assert all(answer["text"].split()[0] in text for arm in first["arms"].values() for answer in arm["answers"])


def test_json_has_the_answers_and_scores_of_the_tables(finished: Project) -> None:
    results = next(finished.run_root().glob("*/results"))
    rows = list(csv.DictReader((results / "predictions.csv").read_text().splitlines()))
    said = {(row["item_id"], row["condition"]): row["response_text"] for row in rows}
    for item in items(finished):
        for arm, found in item["arms"].items():
            assert [answer["text"] for answer in found["answers"]] == [said[item["id"], arm]]
            assert set(found["scores"]) >= {"em", "f1"}


def test_a_line_number_means_the_same_item_and_temperature_everywhere(project: Project) -> None:
    project.write_config({"temps": [0.0, 0.7]})
    project.given_run()
    found = items(project)
    numbers = [each["number"] for each in found]
    assert numbers == [*range(1, 29)]
    lines = [line for line in project.call("show", "r").out.splitlines() if line[2:7].strip().isdecimal()]
    assert [int(line[2:7]) for line in lines] == numbers
    rows = csv.DictReader(project.call("show", "r", "--csv").out.splitlines())
    assert [*dict.fromkeys(int(row["number"]) for row in rows)] == numbers
    run = promptrial.load_run(project.run_root())
    assert [row["number"] for row in run.items.arrow.to_pylist()] == numbers
    assert [each.number for each in run.trial.changed()] == [e["number"] for e in items(project, "--changed")]
    for number in (1, 14, 15, 28):
        assert items(project, str(number)) == [found[number - 1]]
    assert [each["number"] for each in items(project, found[2]["id"])] == [3, 17]
    assert items(project, "15")[0]["temperature"] == 0.7
    for wrong in ("0", "29"):
        refused = project.call("show", "r", wrong)
        assert refused.code == 2
        assert "a number from 1 to 28" in refused.err


def test_csv_has_a_row_for_each_answer(finished: Project) -> None:
    outcome = finished.call("show", "r", "--csv")
    rows = list(csv.DictReader(outcome.out.splitlines()))
    assert len(rows) == 14 * 2
    assert {row["arm"] for row in rows} == {"control", "treatment"}


def test_no_cell_of_the_csv_is_read_as_a_formula(project: Project) -> None:
    rows = [
        {"id": f"{start.strip()}{at}", "question": f"{start}SUM(1)?", "answers": [f"{start}1+1"]}
        for at, start in enumerate(FORMULA_STARTS)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (project.root / "config/closed.jsonl").write_text(text)
    assert project.run().code == 0
    found = list(csv.DictReader(io.StringIO(project.call("show", "r", "--csv").out, newline="")))
    texts = ("id", "question", "gold", "answer", "error")
    assert not [row[name] for row in found for name in texts if row[name].startswith(FORMULA_STARTS)]
    assert {row["question"] for row in found} >= {f"'{start}SUM(1)?" for start in ("=", "@", "\uff1d", "\uff20")}


def test_an_arm_without_any_answer_has_a_row_in_the_csv_too(finished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = SideBySide.answers_of

    def without_the_control(self: SideBySide, numbers: Sequence[int]) -> list[dict[str, list[Answer]]]:
        return [{**each, "control": []} for each in whole(self, numbers)]

    monkeypatch.setattr(SideBySide, "answers_of", without_the_control)
    rows = list(csv.DictReader(finished.call("show", "r", "--csv").out.splitlines()))
    assert len(rows) == 14 * 2
    lost = [row for row in rows if row["arm"] == "control"]
    assert {(row["replicate"], row["answer"], row["error"]) for row in lost} == {("", "", "")}
    assert len({row["id"] for row in lost}) == 14


@pytest.mark.parametrize("columns", ["80", "40"])
def test_nothing_is_wider_than_the_terminal(finished: Project, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for words in ((), ("1",), ("--changed",)):
        out = finished.call("show", "r", *words).out
        assert max(map(len, out.splitlines())) <= int(columns)


def test_unknown_names_are_answered_in_one_line_with_the_nearest(finished: Project) -> None:
    wrong = finished.call("show", "r", "nonsense")
    assert wrong.code == 2
    assert "no item 'nonsense'" in wrong.err
    arm = finished.call("show", "r", "--arm", "tretment")
    assert arm.code == 2
    assert "treatment" in arm.err


def test_a_run_of_several_trials_asks_which(project: Project) -> None:
    project.given_run("--prompt_sets", "main,other")
    outcome = project.call("show", "r")
    assert outcome.code == 2
    assert "--trial_filter" in outcome.err
    assert len(items(project, "--trial_filter", "other")) == 14


def test_an_unscored_run_is_refused_with_the_command_to_continue_it(project: Project) -> None:
    project.given_run("--to_step", "parse")
    outcome = project.call("show", "r")
    assert outcome.code == 2
    assert "not scored yet" in outcome.err
    assert "--resume" in outcome.err


def test_show_changes_nothing(finished: Project) -> None:
    before = finished.snapshot()
    assert finished.call("show", "r", "1").code == 0
    assert finished.snapshot() == before
