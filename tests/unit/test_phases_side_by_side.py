"""Items side by side: each answer and score is beside its item, and the changes are those that the statistics count."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from promptrial.config.loading import load_config
from promptrial.design.trials import trials_of
from promptrial.documents.scorers import Declaration
from promptrial.errors import CorruptRecordError
from promptrial.model import Item
from promptrial.model.arms import Contrast
from promptrial.phases.prepared import encode_item, positions_with, prepared_files
from promptrial.phases.side_by_side import OUTCOMES, Answer, SideBySide, outcome_codes
from promptrial.store.rundir import RunDir
from tests.support.project import Project

CONTRAST = Contrast("treatment")


@pytest.fixture
def finished(project: Project) -> SideBySide:
    """A finished run of two temperatures, the second with three answers an item."""
    project.write_config({"temps": [0.0, 0.7], "samples_per_item": {"0.0": 1, "0.7": 3}})
    assert project.run().code == 0
    return opened(project)


def opened(project: Project) -> SideBySide:
    config = load_config(project.config, {}).experiment
    (trial,) = trials_of(config)
    return SideBySide(RunDir(project.root / "experiments", "r"), trial, config.stats.primary)


def table(found: SideBySide, name: str) -> Iterator[dict[str, str]]:
    path = found.run.trial(found.trial.slug).results / name
    yield from csv.DictReader(path.read_text().splitlines())


def test_every_item_is_listed_once_per_temperature_in_prepared_order(finished: SideBySide) -> None:
    assert len(finished) == 14 * 2
    keys = [f"{finished.item(n).dataset}|{finished.item(n).id}" for n in range(len(finished))]
    assert keys == [*finished.keys, *finished.keys]
    assert [finished.unit(n).temp for n in (0, 13, 14, 27)] == [0.0, 0.0, 0.7, 0.7]


def test_items_can_be_read_in_any_order(finished: SideBySide) -> None:
    assert finished.item(9).id == opened_key(finished, 9)
    assert finished.item(2).id == opened_key(finished, 2)


@pytest.mark.parametrize("numbers", [[], [3], [0, 1, 2], [12, 13, 14, 15], [27, 5, 5, 19], range(28)])
def test_reading_several_items_gives_the_same_as_reading_one_by_one(
    finished: SideBySide, numbers: Sequence[int]
) -> None:
    assert finished.items_of(numbers) == [finished.item(number) for number in numbers]
    found = finished.answer_values_of(numbers)
    assert [[[Answer(*values) for values in arm] for arm in arms] for arms in found] == [
        [*finished.answers(number).values()] for number in numbers
    ]


def opened_key(found: SideBySide, number: int) -> str:
    return found.keys[number].partition("|")[2]


def test_each_answer_is_beside_its_item_arm_and_temperature(finished: SideBySide) -> None:
    seen: dict[tuple[int, float, str], list[str]] = {}
    for row in table(finished, "predictions.csv"):
        place = finished.keys.index(f"{row['dataset']}|{row['item_id']}"), float(row["temp"]), row["condition"]
        seen.setdefault(place, []).append(row["response_text"])
    for number in range(len(finished)):
        unit = finished.unit(number)
        for arm, answers in finished.answers(number).items():
            assert [answer.text for answer in answers] == seen[unit.position, unit.temp, arm]
            assert all(answer.error is None for answer in answers)


def test_scores_and_numbers_of_answers_are_those_of_the_table(finished: SideBySide) -> None:
    for row in table(finished, "per_item_scores.csv"):
        number = finished.keys.index(row["item_key"]) + len(finished.keys) * (row["temp"] != "0.0")
        arm = finished.arms.index(row["condition"])
        assert finished.answered[number, arm] == int(row["n_samples"])
        assert finished.scores["em"][number, arm] == pytest.approx(float(row["em"]))


def test_with_one_answer_each_the_changes_are_those_that_mcnemar_counts(project: Project) -> None:
    assert project.run().code == 0
    found = opened(project)
    path = found.run.trial(found.trial.slug).results / "significance.json"
    (row,) = [
        each
        for each in json.loads(path.read_text())["estimates"]
        if (each["metric"], each["method"], each["quantity"], each["scope"])
        == (found.judge, "mcnemar", "risk_difference", "overall")
    ]
    counts, figures = found.counts(CONTRAST), row["figures"]
    assert {name: counts[name] for name in ("fixed", "broken", "both_right", "both_wrong")} == {
        "fixed": figures["treatment_only"],
        "broken": figures["control_only"],
        "both_right": figures["both"],
        "both_wrong": figures["neither"],
    }
    assert sum(counts.values()) == len(found)
    listed = [list(found.with_outcome(CONTRAST, outcome)) for outcome in OUTCOMES]
    assert sorted(number for numbers in listed for number in numbers) == list(range(len(found)))


def test_the_scorer_of_correctness_decides_what_changed(finished: SideBySide) -> None:
    assert finished.judge == "em"


def test_without_a_scorer_of_correctness_the_first_primary_endpoint_decides_what_changed(project: Project) -> None:
    project.write_config({"scorers": {"words": {"type": "length"}}, "stats": {"primary": ["words"]}})
    assert project.run().code == 0
    found = opened(project)
    assert found.judge == "words"
    assert sum(found.counts(CONTRAST).values()) == len(found)


@pytest.mark.parametrize(
    ("scale", "direction", "limits", "expected"),
    [
        ("binary", "higher", (0.0, 1.0), ["fixed", "broken", "both_right", "both_wrong", "missing", "not_applicable"]),
        ("binary", "lower", (0.0, 1.0), ["broken", "fixed", "both_wrong", "both_right", "missing", "not_applicable"]),
        ("continuous", "higher", (0.0, 1.0),
         ["fixed", "broken", "both_right", "both_wrong", "missing", "not_applicable"]),
        ("continuous", "higher", (-1.0, 3.0),
         ["fixed", "broken", "both_wrong", "both_wrong", "missing", "not_applicable"]),
    ],
)  # fmt: skip
def test_outcomes_follow_range_and_direction(
    project: Project, scale: str, direction: str, limits: tuple[float, float], expected: list[str]
) -> None:
    found = opened(project)
    declaration = Declaration(label="x", meaning="x", scale=scale, direction=direction, range=limits)  # type: ignore[arg-type]
    pairs = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, np.nan], [np.nan, np.nan]]
    found.__dict__ |= {
        "keys": [str(n) for n in range(6)],
        "scorers": {"x": declaration},
        "judge": "x",
        "scores": {"x": np.array(pairs)},
        "answered": np.array([[1, 1]] * 4 + [[1, 0], [1, 1]]),
    }
    assert [OUTCOMES[code] for code in found.outcomes(CONTRAST)] == expected


def test_an_item_counts_as_right_if_most_of_its_answers_are_right(project: Project) -> None:
    found = opened(project)
    found.__dict__ |= {
        "keys": ["a", "b"],
        "scorers": {"x": Declaration(label="x", meaning="x", scale="binary", direction="higher")},
        "judge": "x",
        "scores": {"x": np.array([[1 / 3, 2 / 3], [2 / 3, 1.0]])},
        "answered": np.array([[3, 3], [3, 3]]),
    }
    assert [OUTCOMES[code] for code in found.outcomes(CONTRAST)] == ["fixed", "both_right"]


def test_an_item_of_which_exactly_half_of_the_answers_are_right_counts_as_right() -> None:
    scorer = Declaration(label="x", meaning="x", scale="binary", direction="higher")
    codes = outcome_codes(np.array([[0.5, 0.0], [0.25, 0.5]]), np.array([False, False]), scorer)
    assert [OUTCOMES[code] for code in codes] == ["broken", "fixed"]


def test_items_prepared_after_scoring_are_left_out_and_not_missing(project: Project) -> None:
    assert project.run().code == 0
    run = RunDir(project.root / "experiments", "r")
    manifest = json.loads((run.prepared / "manifest.json").read_text())
    added = encode_item(Item(id="new", dataset="open_set", question="New?", answers=(), context="Text."))
    path = prepared_files(run)[0][1]
    path.write_bytes(added + b"\n" + path.read_bytes())
    manifest["facts"]["items"] += 1
    (run.prepared / "manifest.json").write_text(json.dumps(manifest))
    found = opened(project)
    assert "open_set|new" not in found.keys
    assert len(found) == 14
    assert found.item(0).id == opened_key(found, 0)
    assert found.counts(CONTRAST)["missing"] == 0


def test_items_that_differ_from_the_scored_ones_are_an_error(project: Project) -> None:
    assert project.run().code == 0
    found = opened(project)
    path = prepared_files(found.run)[0][1]
    first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*others, first]))
    with pytest.raises(CorruptRecordError, match="not those that were scored"):
        found.item(0)


# --- search -----------------------------------------------------------------------------------------------------------


def test_search_finds_words_in_items_and_answers_in_any_case(finished: SideBySide) -> None:
    rows = list(table(finished, "predictions.csv"))
    paris = {
        finished.keys.index(f"{row['dataset']}|{row['item_id']}") for row in rows if "Paris" in row["response_text"]
    }
    golds = {n for n in range(14) if "Paris" in finished.item(n).answers}
    assert paris
    assert golds
    assert finished.positions_that_say("pARIS") == paris | golds
    assert finished.positions_that_say("what of RUST?") == {finished.keys.index("open_set|rust-1")}


@pytest.mark.parametrize("words", ["is_unanswerable", '"id":', "closed_set", "\\n"])
def test_search_ignores_the_json_syntax_of_an_item(finished: SideBySide, words: str) -> None:
    assert finished.positions_that_say(words) == set()


@pytest.mark.parametrize(
    ("words", "position"),
    [
        ('says "so"', 0),
        ("a\nb", 0),
        ("back\\slash", 0),
        ("ÄRGER", 1),
        ("\u202e", 1),
        ("of MINE", 2),
        ("\x1f", 2),
        ("Z", 2),
    ],
)
def test_search_finds_words_that_are_escaped_on_disk(tmp_path: Path, words: str, position: int) -> None:
    items = [
        Item(id="x", dataset="d", question='He says "so"\na\nb back\\slash', answers=()),
        Item(id="y", dataset="d", question="?", answers=("ärger", "\u202eno")),
        Item(id="z", dataset="d", question="\x1f", answers=("gold",), choices=("choice of mine", "gold")),
    ]
    run = RunDir(tmp_path, "r")
    run.prepared.mkdir(parents=True)
    for _, path in prepared_files(run):
        path.touch()
    path.write_bytes(b"".join(encode_item(item) + b"\n" for item in items))
    assert positions_with(run, words) == {position}
