"""``promptrial power``: what a trial can show, before a question is asked."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from promptrial.cli.main import main


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["power", *words]) == 0
    return capsys.readouterr().out


def test_so_many_questions_show_a_difference_and_each_usual_one_has_its_power_and_its_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(capsys, "--baseline", "0.7", "--discordance", "0.2", "--n", "500")
    assert "500 questions can detect a difference of 5.55 points or more." in text
    assumed = "Assumptions:\n- the control answers 70.0% of questions correctly\n- only one arm answers 20.0%"
    assert assumed in text
    rows = {line.split()[0]: line.split()[2:] for line in text.splitlines() if " point" in line and "%" in line}
    assert rows["3"] == ["1,737", "32%"]
    assert max(len(line) for line in text.splitlines()[1:]) <= 80


def test_a_difference_needs_so_many_questions_in_whole_passages(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "--detect", "0.04", "--discordance", "0.2", "--clusters", "x4", "--json"))
    needed = {row["difference"]: row["n"] for row in found["questions_needed"]}
    assert needed[0.04] % 4 == 0
    assert list(needed) == sorted(needed)
    assert "intraclass correlation of 0.1" in " ".join(found["assumed"])


def test_a_baseline_alone_is_taken_as_independent_arms_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "only one arm answers 32.0% of questions correctly, as if the arms were independent" in said(
        capsys, "--baseline", "0.8", "--n", "300"
    )


def test_scores_on_a_scale_are_given_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--sd", "0.4", "--clusters", "50x4", "--replicates", "3")
    assert "200 questions can detect a difference of 0.0753 or more." in text
    assert "points" not in text


def test_where_no_difference_is_large_enough_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot detect any difference with that power" in said(capsys, "--discordance", "0.02", "--n", "40")


def test_the_curve_is_drawn_into_a_new_file_and_never_over_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "curve.svg"
    words = ["--discordance", "0.2", "--n", "100", "--svg", str(target)]
    said(capsys, *words)
    drawn = target.read_text()
    assert ET.fromstring(drawn).find("{http://www.w3.org/2000/svg}title") is not None  # noqa: S314 - our own
    assert main(["power", *words]) == 2
    assert "exists already" in capsys.readouterr().err
    assert target.read_text() == drawn


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--n", "100"], "assumptions about the scores are required"),
        (["--discordance", "0.2"], "give either --n"),
        (["--discordance", "0.2", "--n", "100", "--clusters", "10x4"], "disagree: the clusters have 40 questions"),
        (["--discordance", "0.3", "--baseline", "0.9", "--n", "100"], "at most 0.2"),
        (["--discordance", "0.02", "--detect", "0.05"], "no difference can be larger than 0.02"),
        (["--discordance", "0.2", "--detect", "3"], "next: for a difference of 3 points: --detect 0.03\n"),
        (["--sd", "0.4", "--baseline", "0.5", "--n", "100"], "--sd is for continuous scores"),
        (["--discordance", "0.2", "--n", "1"], "too few"),
        (["--discordance", "0.2", "--clusters", "1x5"], "too few"),
        (["--sd", "0.4", "--clusters", "5x4"], "no p-value reaches 0.05 with fewer than 24 in 6 passages"),
        (["--sd", "0.4", "--n", "5"], "no p-value reaches 0.05 with fewer than 6"),
    ],
)
def test_what_cannot_be_reckoned_with_is_refused_with_what_to_give(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["power", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("word", ["2", "-0.1", "nan", "x"])
def test_a_share_is_a_number_from_0_to_1(capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit):
        main(["power", f"--discordance={word}", "--n", "10"])
    assert "--discordance" in capsys.readouterr().err
