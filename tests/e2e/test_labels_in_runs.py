"""Labels that a configuration names are a part of the run: read at each resume, kept with it, shown in its reports."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.loading import load_config
from promptrial.documents import label_sheets
from promptrial.phases import report_facts, stats
from promptrial.store.rundir import digest_of
from tests.support.labelled import Rows, drawn, finished_run, write
from tests.support.project import Outcome, Project

CLOSED = {"closed_set": {"format": "custom", "path": "closed.jsonl"}}
ASKED = ("batch_inputs/", "prepared/", "predictions", "per_item_scores", "results.jsonl", "effective_config")
"""Files that no label may change."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of 120 questions."""
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def scored(project: Project, finished: Path) -> Project:
    """A copy of that run."""
    shutil.copytree(finished, project.root, dirs_exist_ok=True)
    return project


def labelled(project: Project, rows: Rows, name: str = "ann.csv") -> Path:
    return write(project.root / "config" / name, rows)


def some_labels(rows: Rows, every: int = 3) -> Rows:
    return [row | {"label": "0" if at % every else "1"} for at, row in enumerate(rows)]


def configure(project: Project, labels: Any, **more: Any) -> None:
    project.write_config({"datasets": CLOSED, "labels": labels, **more})


def resume(project: Project, *flags: str) -> Outcome:
    return project.run("--resume", "--config", str(project.config), *flags)


def agreement(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.trial_folder() / "results/agreement.json").read_text())
    return found


def unchanged(before: dict[str, str], after: dict[str, str]) -> None:
    for path, digest in before.items():
        if any(part in path for part in ASKED):
            assert after[path] == digest, path


def test_labels_rerun_statistics_and_reports_without_asking(scored: Project) -> None:
    rows = some_labels(drawn(scored))
    labelled(scored, rows)
    configure(scored, "ann.csv")
    before = scored.snapshot()
    plan = scored.call("plan", "--run_id", "r", "--config", str(scored.config)).out
    assert "plan changed" in plan.split("stats")[1].splitlines()[0]
    assert scored.call("plan", "--run_id", "r", "--config", str(scored.config), "--json").code == 0
    assert scored.snapshot() == before, "a plan writes nothing"

    done = resume(scored)
    assert (done.code, "people's labels have changed: 120 now; nothing is asked again" in done.err) == (0, True)
    assert "drift" not in done.err
    unchanged(before, scored.snapshot())
    (report,) = agreement(scored)["labels"]
    assert (report["measure"], report["n_labels"], [each["rater"] for each in report["raters"]]) == ("em", 120, ["ann"])
    read = json.loads(scored.call("label", "r", "--read", str(scored.root / "config/ann.csv"), "--json").out)
    assert read == report | {"raters": read["raters"], "dry_run": False, "warnings": []}
    for page in (scored.report(), scored.details(), (scored.run_root() / "report.html").read_text()):
        assert "Agreement with people: Exact match" in page
        assert "Corrected with the labels" in page
        assert "People and measure: Exact match" in page

    again = scored.snapshot()
    assert resume(scored).code == 0
    assert {path for path, digest in scored.snapshot().items() if again[path] != digest} <= {
        "run.log",
        "run_state.json",
    }


def test_an_edited_sheet_is_noticed_and_labels_that_are_removed_are_gone(scored: Project) -> None:
    rows = some_labels(drawn(scored))
    labelled(scored, rows)
    configure(scored, ["ann.csv"])
    assert resume(scored).code == 0
    first = agreement(scored)
    labelled(scored, some_labels(rows, every=2))
    assert "plan changed" in scored.call("plan", "--run_id", "r", "--config", str(scored.config)).out
    assert resume(scored).code == 0
    assert agreement(scored) != first
    configure(scored, None)
    assert "0 now" in resume(scored).err
    assert not (scored.trial_folder() / "results/agreement.json").exists()
    assert not (scored.run_root() / "labels.json").exists()
    assert "Agreement with people" not in scored.report()


def test_effects_beside_labels_over_other_items_are_computed_again(scored: Project) -> None:
    labelled(scored, some_labels(drawn(scored)))
    failure = {"bootstrap_samples": 1000, "permutation_samples": 999, "missing": "failure"}
    configure(scored, "ann.csv", stats=failure)
    assert resume(scored, "--force").code == 0
    path = scored.trial_folder() / "results" / "trial_manifest.json"
    manifest = json.loads(path.read_text())
    inputs = manifest["stage_status"]["stats"]["inputs"]
    experiment = load_config(scored.config, {}).experiment
    settings = {
        **experiment.stats.model_dump(mode="json"),
        "labels": label_sheets.digest([each.sheet for each in experiment.labels]),
    }
    assert inputs["plan"] == digest_of({**settings, "measured beside labels": "of the same items"})
    inputs["plan"] = digest_of(settings)
    path.write_text(json.dumps(manifest))  # as an earlier version left it
    again = resume(scored)
    assert re.findall(r"^(\w+): running", again.err, re.MULTILINE) == ["stats", "report"], again.err


def test_a_run_keeps_its_labels_without_the_sheets(scored: Project, tmp_path: Path) -> None:
    labelled(scored, some_labels(drawn(scored)))
    configure(scored, [{"file": "ann.csv", "rater": "Ann"}])
    assert resume(scored).code == 0
    assert scored.call("archive", "--run_id", "r", "--to", str(tmp_path / "kept.tar.gz")).code == 0
    found = agreement(scored)
    (scored.root / "config/ann.csv").unlink()
    scored.config.unlink()
    assert scored.call("unarchive", str(tmp_path / "kept.tar.gz"), "--run_id", "copy").code == 0
    for run_id in ("r", "copy"):
        folder = scored.trial_folder(run_id)
        (folder / "results/significance.json").unlink()
        done = scored.run("--resume", run_id=run_id)
        assert done.code == 0, done.err
        again = json.loads((folder / "results/agreement.json").read_text())
        assert [each | {"run_id": "r"} for each in again["labels"]] == found["labels"]
    assert found["labels"][0]["raters"][0]["rater"] == "Ann"


def test_a_damaged_record_of_labels_is_named_and_made_again_from_the_sheets(scored: Project) -> None:
    labelled(scored, some_labels(drawn(scored)))
    configure(scored, "ann.csv")
    assert resume(scored).code == 0
    record = scored.run_root() / "labels.json"
    data = record.read_bytes()
    assert "labels.json" not in scored.call("doctor", "r").out
    record.write_bytes(data[:200])
    assert "labels.json" in scored.call("doctor", "r").out
    own = scored.run("--resume", "--config", str(scored.run_root() / "effective_config.yaml"))
    assert (own.code, "it holds the labels that the run uses" in own.err) == (1, True)
    assert resume(scored).code == 0
    assert record.read_bytes() == data
    record.write_bytes(data.replace(b'"schema_version": 1', b'"schema_version": 2'))
    own = scored.run("--resume", "--config", str(scored.run_root() / "effective_config.yaml"))
    assert "made by a newer version of promptrial" in own.err


def test_several_people_are_compared_with_the_measure_and_with_each_other(scored: Project) -> None:
    rows = drawn(scored)
    for name, every in (("ann", 3), ("ben", 3), ("cleo", 2)):
        labelled(scored, some_labels(rows, every), f"{name}.csv")
    labelled(scored, [row | {"measure": "abstain_rate"} for row in some_labels(rows)], "declined.csv")
    configure(scored, ["ann.csv", "ben.csv", "cleo.csv", "declined.csv"])
    assert resume(scored).code == 0
    report, other = agreement(scored)["labels"]
    assert (other["measure"], other["between"], report["n_labels"]) == ("abstain_rate", None, 360)
    pairs = {(each["first"], each["second"]): each for each in report["between"]["pairs"]}
    assert pairs["ann", "ben"]["kappa"]["value"] == 1
    assert pairs["ann", "cleo"]["agreeing"] == pytest.approx(0.5, abs=0.01)
    assert report["between"]["alpha"]["value"] < 1
    assert [sum(map(sum, each["table"])) for each in report["arms"]] == [180, 180]
    assert "3 sheets (ann, ben and cleo)" in scored.report()
    for page in (scored.report(), (scored.run_root() / "report.html").read_text()):
        assert "Agreement between people" in page
    files = [str(scored.root / f"config/{name}.csv") for name in ("ann", "ben", "cleo")]
    text = scored.call("label", "r", "--read", *files)
    assert (text.code, "Agreement between people" in text.out) == (0, True)
    mixed = scored.call("label", "r", "--read", files[0], str(scored.root / "config/declined.csv"))
    assert (mixed.code, "read those of one measure and temperature at a time" in mixed.err) == (2, True)


def test_the_corrected_effect_takes_the_mean_of_peoples_labels(scored: Project) -> None:
    rows = drawn(scored)
    labelled(scored, some_labels(rows, 3), "ann.csv")
    labelled(scored, some_labels(rows, 2), "ben.csv")
    sides = [json.loads(scored.call("label", "r", "--read", str(scored.root / f"config/{name}.csv"), "--json").out)
             for name in ("ann", "ben")]  # fmt: skip
    files = [str(scored.root / f"config/{name}.csv") for name in ("ann", "ben")]
    both = json.loads(scored.call("label", "r", "--read", *files, "--json").out)["effects"][0]["corrected"]
    ann, ben = (each["effects"][0]["corrected"] for each in sides)
    assert ann != ben
    assert both == pytest.approx((ann + ben) / 2, abs=0.03)


def test_labels_are_not_a_deviation_from_a_sealed_plan(project: Project) -> None:
    project.given_run("--to_step", "prepare")
    assert project.call("seal", "--run_id", "r").code == 0
    assert project.run("--resume").code == 0
    labelled(project, some_labels(drawn(project)))
    project.write_config({"labels": "ann.csv"})
    assert project.run("--resume").code == 0
    assert agreement(project)["labels"]
    assert project.call("seal", "--run_id", "r", "--check").code == 0
    assert "Sealed plan" not in project.report()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "2"}, "ann.csv: line 2: label '2', expected 0 or 1"),
        ({"id": "a0"}, "ann.csv: line 2: id 'a0' is no answer of this trial"),
        ({"digest": "d0"}, "ann.csv: line 2: the answer is another one by now"),
        ({"measure": "f1"}, "ann.csv: line 3: measure 'em', expected 'f1' as in the first row"),
    ],
)
def test_an_invalid_sheet_ends_the_resume_with_file_and_line(
    scored: Project, change: dict[str, str], said: str
) -> None:
    rows = some_labels(drawn(scored, "--n", "2"))
    labelled(scored, [rows[0] | change, *rows[1:]])
    configure(scored, "ann.csv")
    done = resume(scored)
    assert done.code == 2
    assert said in done.err
    labelled(scored, rows)
    assert resume(scored).code == 0


def test_a_missing_sheet_and_two_sheets_of_one_person_are_refused(scored: Project) -> None:
    rows = some_labels(drawn(scored, "--n", "2"))
    labelled(scored, rows)
    configure(scored, ["ann.csv", "bob.csv"])
    missing = resume(scored)
    assert missing.code == 2
    assert "labels.1" in missing.err
    assert "bob.csv: no such file" in missing.err
    shutil.copy(scored.root / "config/ann.csv", scored.root / "ann.csv")
    configure(scored, ["ann.csv", "../ann.csv"])
    assert "has labels of em by 'ann' too" in resume(scored).err
    configure(scored, ["ann.csv", {"file": "../ann.csv", "rater": "Bob"}])
    assert resume(scored).code == 0


@pytest.fixture
def judged() -> Iterator[None]:
    """Within the test, two measures of the default pack count as judges'."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (stats, report_facts):
            patch.setattr(module, "judges_in", lambda _results: ("em", "abstain_rate"))
        yield


@pytest.mark.usefixtures("judged")
def test_unchecked_judges_are_named_and_labels_show_their_agreement(scored: Project) -> None:
    (scored.trial_folder() / "results/significance.json").unlink()
    assert resume(scored).code == 0
    command = "promptrial label r --measure em"
    for page in (scored.report(), (scored.run_root() / "report.html").read_text()):
        assert "Unvalidated judge" in page
        assert command in page
        assert "Agreement between judges" in page
    (judges,) = agreement(scored)["judges"]
    assert (judges["measures"], judges["effective"], judges["reason"]) == (
        ["em", "abstain_rate"], None, "no answer has a person's label",
    )  # fmt: skip

    labelled(scored, some_labels(drawn(scored, "--measure", "em")))
    configure(scored, "ann.csv")
    assert resume(scored).code == 0
    (judges,) = agreement(scored)["judges"]
    assert (judges["labels_of"], judges["n_labelled"], judges["reason"]) == ("em", 120, None)
    assert 1 <= judges["effective"] < 2
    report = scored.report()
    assert command not in report
    assert "promptrial label r --measure abstain_rate" in report, "the other judge is not checked"
    assert "Exact match agrees with people's labels on" in report
    assert f"2 judges count for {judges['effective']:.1f}" in report
