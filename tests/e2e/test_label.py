"""Labels of people: sheets are random and blind, what comes back is checked, and it corrects a measure that errs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

import promptrial
from promptrial.care.opened import read_run
from promptrial.care.shown_items import sides_of
from promptrial.config.environment import environment
from promptrial.documents.label_sheets import read_sheet
from promptrial.documents.labels import encode
from promptrial.engine.session import Invocation
from promptrial.phases.labelled import labels_of
from promptrial.runtime.clock import SystemClock
from promptrial.stats.agreement import cohens_kappa
from promptrial.stats.difference import binary_difference_test
from promptrial.stats.prediction_powered import prediction_powered_difference
from promptrial.store.rundir import RunDir
from tests.support import fake_provider
from tests.support.labelled import Rows, drawn, finished_run, sheet, write
from tests.support.project import Outcome, Project


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of 120 questions."""
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def scored(project: Project, finished: Path) -> Project:
    """A copy of that run."""
    shutil.copytree(finished, project.root, dirs_exist_ok=True)
    return project


def scores(project: Project) -> dict[tuple[str, str], float]:
    """The exact match of each item and arm that answered it, by question and arm."""
    items = json.loads(project.call("show", "r", "--json").out)
    found = {(each["question"], arm): each["arms"][arm]["scores"] for each in items for arm in each["arms"]}
    return {place: scores["em"] for place, scores in found.items() if "em" in scores}


def arms_of(project: Project, rows: Rows) -> list[str]:
    """The arm that each row of a sheet belongs to, found by reading the sheet with one label at a time."""
    env = environment({}, project.root)
    run = read_run(RunDir(project.root / "experiments", "r"), env, Invocation(env, SystemClock(), lambda _text: None))
    sides = sides_of(run, run.spec.trials[0])
    found = []
    for row in rows:
        one = write(project.root / "one.csv", [row | {"label": "1"}])
        values = labels_of([read_sheet(one)], sides).values[0]
        found.append(sides.arms[int(np.argwhere(np.isfinite(values))[0][1])])
    return found


def read(project: Project, rows: Rows, *flags: str) -> Outcome:
    return project.call("label", "r", "--read", str(write(project.root / "filled.csv", rows)), *flags)


def test_a_dry_run_is_named_as_such_before_any_number(project: Project) -> None:
    project.write_config({"provider": "fireworks", "pricing": None, "models": {"m1": {"id": "accounts/f/models/m"}}})
    assert project.run("--dry_run").code == 0
    drawn = project.call("label", "r", "--out", "sheet.csv")
    assert "Dry run: an emulator answered" in drawn.err
    read = project.call("label", "r", "--read", "sheet.csv")
    assert read.prose.startswith("Dry run: an emulator answered; these figures say nothing about a model.")
    assert json.loads(project.call("label", "r", "--read", "sheet.csv", "--json").out)["dry_run"] is True


def test_a_real_run_is_not_called_a_dry_run(scored: Project) -> None:
    drawn(scored)
    assert "Dry run" not in scored.call("label", "r", "--read", "sheet.csv").out
    assert json.loads(scored.call("label", "r", "--read", "sheet.csv", "--json").out)["dry_run"] is False


def test_a_sheet_is_blind_and_has_every_arm_of_each_item(scored: Project) -> None:
    rows = drawn(scored, "--n", "40")
    assert [row["item"] for row in rows] == [str(1 + at // 2) for at in range(80)]
    assert [row["letter"] for row in rows] == ["A", "B"] * 40
    assert all(row["label"] == "" for row in rows)
    assert {row["probability"] for row in rows} == {"0.333333"}
    assert not re.search("control|treatment", " ".join(" ".join(row.values()) for row in rows))
    assert all(row["question"].startswith("'=Question") for row in rows), "no cell is run as a formula"
    letters = [arm for row, arm in zip(rows[:24], arms_of(scored, rows[:24]), strict=True) if row["letter"] == "A"]
    assert {*letters} == {"control", "treatment"}, "letters are shuffled for each item"
    assert drawn(scored, "--n", "40") == rows, "the same sheet for the same seed"
    assert {row["question"] for row in drawn(scored, "--n", "40", "--seed", "2")} != {row["question"] for row in rows}


def test_whole_clusters_are_drawn_with_one_probability(project: Project) -> None:
    project.given_run()
    rows = drawn(project, "--n", "5", "--measure", "abstain_rate")
    passages = {row["passage"] for row in rows if row["passage"]}
    for passage in passages:
        assert sum(row["passage"] == passage for row in rows) == 2 * 2
    assert {row["probability"] for row in rows} == {"0.363636"}, "4 of 11 clusters: 5 of 14 items are expected"


def test_labels_correct_a_biased_measure(scored: Project) -> None:
    rows = drawn(scored, "--n", "60")
    arms, measured = arms_of(scored, rows), scores(scored)
    rng = np.random.default_rng(4)
    for row, arm in zip(rows, arms, strict=True):
        right = measured[row["question"].removeprefix("'"), arm]
        row["label"] = f"{1 - right if rng.random() < 0.2 else right:g}"
    found = json.loads(read(scored, rows, "--json").out)
    assert (found["n_answers"], found["n_labels"], found["n_empty"], found["measure"]) == (120, 120, 0, "em")
    for each in found["arms"]:
        mine = [(float(row["label"]), measured[row["question"][1:], arm]) for row, arm in zip(rows, arms, strict=True)
                if arm == each["arm"]]  # fmt: skip
        people, em = np.array(mine).T
        assert each["agreeing"] == pytest.approx((people == em).mean())
        kappa = cohens_kappa(people, em).value
        assert each["kappa"]["value"] == pytest.approx(kappa)
        assert each["kappa"]["ci_low"] <= kappa <= each["kappa"]["ci_high"]
        assert sum(map(sum, each["table"])) == each["n_labelled"] == 60
    labels = np.full((2, 120), np.nan)
    for row, arm in zip(rows, arms, strict=True):
        labels[int(arm == "treatment"), int(row["question"].split()[1][:-1])] = float(row["label"])
    em = np.array([[measured[f"=Question {n}?", arm] for n in range(120)] for arm in ("control", "treatment")])
    expected = prediction_powered_difference(labels, em)
    (effect,) = found["effects"]
    assert (effect["corrected"], effect["ci_low"], effect["ci_high"], effect["tuning"]) == pytest.approx(
        (expected.estimate, expected.low, expected.high, expected.tuning)
    )
    assert effect["measured"] == pytest.approx(em[1].mean() - em[0].mean())
    assert (effect["n_labelled"], effect["n_others"], effect["reason"]) == (60, 60, None)
    assert msgspec.json.decode(encode(promptrial.load_run(scored.run_root()).labels("filled.csv"))) == found
    text = read(scored, rows)
    assert text.code == 0
    assert "120 labels of 120 answers in the sheet" in text.prose
    assert "Corrected with the labels" in text.out


@pytest.mark.parametrize(("missing", "left_out"), [("failure", 40), ("exclude", None)])
def test_both_effects_are_over_the_items_that_every_arm_answered(
    project: Project, missing: str, left_out: int | None
) -> None:
    fake_provider.FAILING.update(f"closed__set-c{at}-t-0-0-c" for at in range(40))
    items = [{"id": f"c{at}", "question": f"Question {at}?", "answers": ["Paris", "1912"]} for at in range(120)]
    (project.root / "config/closed.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items))
    stats = {"bootstrap_samples": 1000, "permutation_samples": 999, "missing": missing}
    project.write_config({"datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}}, "stats": stats})
    assert project.run(run_id="r").code == 0
    rows = drawn(project, "--n", "80")
    measured = scores(project)
    for row, arm in zip(rows, arms_of(project, rows), strict=True):
        row["label"] = f"{measured[row['question'], arm]:g}"
    outcome = read(project, rows, "--json")
    [effect] = json.loads(outcome.out)["effects"]
    em = np.array([[measured[f"Question {n}?", arm] for n in range(40, 120)] for arm in ("control", "treatment")])
    assert effect["measured"] == pytest.approx(em[1].mean() - em[0].mean())
    assert effect["measured"] == pytest.approx(effect["corrected"]), "people agree with the measure on every answer"
    expected = binary_difference_test(*(int((em[at] > em[1 - at]).sum()) for at in (1, 0)), 80)
    assert (effect["measured_low"], effect["measured_high"]) == pytest.approx((expected.low, expected.high))
    assert (effect["n_labelled"], effect["n_others"], effect.get("n_left_out")) == (80, 0, left_out)
    assert ("; 40 items with a missing answer count in the other tables" in read(project, rows).prose) is bool(left_out)


def test_few_labels_give_agreement_and_no_corrected_effect(scored: Project) -> None:
    rows = drawn(scored, "--n", "60")
    for at, row in enumerate(rows):
        row["label"] = "" if at >= 98 else "1" if at % 3 else "0"
    done = read(scored, rows)
    assert done.code == 0
    assert "no corrected effect: 49 items with labels of both arms: a corrected effect needs at least 50" in done.prose
    assert "22 answers have no label" in done.prose
    (effect,) = json.loads(read(scored, rows, "--json").out)["effects"]
    assert effect["corrected"] is None
    assert effect["measured"] is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "0.5"}, "line 2: label '0.5', expected 0 or 1"),
        ({"label": "yes"}, "line 2: label 'yes', expected 0 or 1"),
        ({"id": "a1"}, "line 2: id 'a1' is no answer of this trial"),
        ({"measure": "f1"}, "line 3: measure 'em', expected 'f1' as in the first row"),
        ({"digest": "d0"}, "line 2: the answer is another one by now"),
    ],
)
def test_an_invalid_sheet_is_refused_with_the_line(scored: Project, change: dict[str, str], said: str) -> None:
    rows = drawn(scored, "--n", "2")
    done = read(scored, [rows[0] | change, *rows[1:]])
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_duplicate_answer_a_missing_column_and_other_files_are_refused(scored: Project) -> None:
    rows = drawn(scored, "--n", "2")
    assert "line 6: the answer of line 2 again" in read(scored, [*rows, rows[0]]).err
    lost = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    assert "filled.csv:1: no column id" in read(scored, lost).err
    (scored.root / "filled.csv").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in scored.call("label", "r", "--read", str(scored.root / "filled.csv")).err
    assert "no such file" in scored.call("label", "r", "--read", "none.csv").err
    assert "--measure and --temp are for drawing" in read(scored, rows, "--measure", "f1").err
    assert "--json goes with --read" in scored.call("label", "r", "--json").err
    empty = dict.fromkeys(rows[0], "")
    semicolons = write(scored.root / "filled.csv", [*(row | {"label": "1"} for row in rows), empty], ";")
    assert "4 labels of 4 answers" in scored.call("label", "r", "--read", str(semicolons)).prose


def test_a_sheet_does_not_overwrite_a_file_and_names_it(scored: Project) -> None:
    path = scored.root / "sheet.csv"
    done = scored.call("label", "r", "--out", str(path))
    assert "120 answers to 60 of 120 items" in done.out
    assert f"promptrial label r --read {path}" in done.out
    assert "already exists" in scored.call("label", "r", "--out", str(path)).err
    inside = scored.call("label", "r", "--out", str(scored.run_root() / "x.csv"))
    assert "inside the run" in inside.err
    assert "no measure 'emm'" in scored.call("label", "r", "--measure", "emm", "--out", "x.csv").err
    assert "--temp 0.3: not a temperature" in scored.call("label", "r", "--temp", "0.3", "--out", "x.csv").err
    few = scored.call("label", "r", "--n", "5", "--out", str(scored.root / "few.csv"))
    assert "Fewer than 50 items" in few.out


def test_items_with_several_answers_cannot_be_labelled(project: Project) -> None:
    project.write_config({"temps": [0.0, 0.7], "samples_per_item": {"0.0": 1, "0.7": 2}})
    project.given_run()
    done = project.call("label", "r", "--temp", "0.7", "--out", "x.csv")
    assert (done.code, "labels are for one each" in done.err) == (2, True)
    project.write_config({"temps": [0.0, 0.7]})
    assert project.call("run", "--config", str(project.config), "--run_id", "two").code == 0
    rows = []
    for temp in ("0", "0.7"):
        path = project.root / f"{temp}.csv"
        assert project.call("label", "two", "--temp", temp, "--out", str(path)).code == 0
        assert f"temperature {temp}" in project.call("label", "two", "--read", str(path)).prose
        rows += sheet(path)
    both = project.call("label", "two", "--read", str(write(project.root / "both.csv", rows)))
    assert "line 30: an answer at another temperature than the first one" in both.err


def test_labels_of_a_continuous_measure_have_alpha_and_no_kappa(project: Project) -> None:
    rows = [{"id": f"c{n}", "question": f"Question {n}?", "answers": ["Paris"]} for n in range(70)]
    (project.root / "config/closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.write_config(
        {
            "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
            "scorers": {"words": {"type": "length", "cap": 10}},
            "stats": {"primary": ["words"], "bootstrap_samples": 1000, "permutation_samples": 999},
        }
    )
    assert project.run().code == 0
    sheet_rows = drawn(project, "--n", "60")
    assert {row["measure"] for row in sheet_rows} == {"words"}
    for row in sheet_rows:
        row["label"] = f"{len(row['answer'].split()) + 0.5:g}"
    assert "expected a number from 0 to 10" in read(project, [sheet_rows[0] | {"label": "11"}, *sheet_rows[1:]]).err
    found = json.loads(read(project, sheet_rows, "--json").out)
    for each in found["arms"]:
        assert (each["kappa"], each["values"], each["table"], each["agreeing"]) == (None, [], [], 0.0)
        assert each["mean_people"] == pytest.approx(each["mean_measure"] + 0.5)
        assert 0 < each["alpha"]["value"] < 1
    (effect,) = found["effects"]
    assert effect["corrected"] == pytest.approx(effect["measured"], abs=0.3), "an error that both arms share cancels"
    text = read(project, sheet_rows)
    assert text.code == 0
    assert "words" in text.out
