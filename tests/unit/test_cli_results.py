"""What the results of a run look like on a terminal: an unfinished run, long paths, colours."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from promptrial.cli.results import results
from promptrial.documents.missing import AttritionTest
from promptrial.engine.invocation import Finished
from promptrial.reporting.facts import TrialResult
from promptrial.store.rundir import RunDir
from tests.unit.test_reporting_pages import costs, document, endpoint, facts


def shown(folder: Path, *found: TrialResult, width: int = 80, dry: bool = False) -> list[tuple[str, str]]:
    opened: Any = SimpleNamespace(run=RunDir(folder, "r"), dry_run=dry)
    return [*results(Finished(opened, found), width)]


def text(pieces: list[tuple[str, str]]) -> str:
    return "".join(piece for piece, _ in pieces)


@pytest.mark.parametrize(("dry", "first"), [(False, "Unfinished: "), (True, "Dry run, unfinished: ")])
def test_a_run_without_results_says_first_that_it_is_unfinished(*, dry: bool, first: str) -> None:
    assert text(shown(Path("experiments"), dry=dry)).startswith(first)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_lines_are_no_wider_than_the_terminal_except_for_a_path(width: int) -> None:
    folder = Path("experiments") / ("long-" * 12)
    lines = text(shown(folder, TrialResult(facts(), document(), costs()), width=width)).splitlines()
    of_trial = lines[: next(at for at, line in enumerate(lines) if line.startswith("Run folder: "))]
    assert max(map(len, of_trial)) <= width
    report = next(line for line in of_trial if line.startswith("Report: "))
    assert report.endswith("reports/report.md")


def test_a_path_is_shown_relative_to_its_trial_if_the_trial_name_is_long() -> None:
    trial = replace(facts().trial, slug="model-" + "long_" * 9 + "-tp1-tk50-mx32-32")
    of_trial = text(shown(Path("e"), TrialResult(replace(facts(), trial=trial), document(), costs()), width=80))
    assert "\nReport: .../reports/report.md\nAnswers: .../results/predictions.csv\n" in of_trial


def test_only_better_and_worse_are_coloured_in_sentence_and_table() -> None:
    pieces = shown(Path("e"), TrialResult(facts(), document(endpoint()), costs()))
    assert [piece for piece, colour in pieces if colour == "good"][-1] == "better"
    lost = shown(Path("e"), TrialResult(facts(), document(endpoint(control=0.45, treatment=0.3)), costs()))
    assert [piece for piece, colour in lost if colour == "bad"][-1] == "worse"
    assert not [piece for piece, colour in lost if colour == "good"]


def test_a_dry_run_has_no_colour_of_better_or_worse() -> None:
    dry = replace(facts(), run=replace(facts().run, dry_run=True))
    pieces = shown(Path("e"), TrialResult(dry, document(endpoint()), costs()))
    assert not {"good", "bad"} & {colour for _, colour in pieces}
    assert "better" in text(pieces)


def test_an_unreliable_result_is_shown_as_a_warning_and_not_as_a_win() -> None:
    lost = AttritionTest(
        n_planned_control=200, n_planned_treatment=200, n_missing_control=0, n_missing_treatment=98, difference=0.49,
        p=0.0001, p_method="mcnemar", differs=True, reason=None,
    )  # fmt: skip
    pieces = shown(Path("e"), TrialResult(facts(), document(endpoint(attrition=lost)), costs()))
    assert not {"good", "bad"} & {colour for _, colour in pieces}
    assert ("unreliable", "warning") in pieces
    assert next(colour for piece, colour in pieces if piece.startswith("Do not rely")) == "warning"


def test_the_name_of_a_prompt_cannot_break_a_line() -> None:
    named = replace(facts(), prompt_names={"control": "a\nb.txt", "treatment": "c\x1b[31m.txt"})
    pieces = shown(Path("e"), TrialResult(named, document(endpoint()), costs()))
    assert "\x1b" not in text(pieces)
    assert "a b.txt" in " ".join(text(pieces).split())
