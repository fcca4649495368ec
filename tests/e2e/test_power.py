"""``promptrial power``: what a trial can show, before a question is asked."""

from __future__ import annotations

import contextlib
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.cli.main import main


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["power", *words]) == 0
    return capsys.readouterr().out


def test_power_shows_the_detectable_difference_and_power_and_sample_size_of_usual_differences(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(capsys, "--baseline", "0.7", "--discordance", "0.2", "--n", "500")
    assert "500 questions can detect a difference of 5.55 points or more." in text
    assumed = "Assumptions:\n- the control answers 70.0% of questions correctly\n- only one arm answers 20.0%"
    assert assumed in text
    rows = {line.split()[0]: line.split()[2:] for line in text.splitlines() if " point" in line and "%" in line}
    assert rows["3"] == ["1,737", "32%"]
    assert max(len(line) for line in text.splitlines()[1:]) <= 80


def test_the_number_of_questions_for_a_difference_is_in_whole_passages(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(said(capsys, "--detect", "0.04", "--discordance", "0.2", "--clusters", "x4", "--json"))
    needed = {row["difference"]: row["n"] for row in found["questions_needed"]}
    assert needed[0.04] % 4 == 0
    assert list(needed) == sorted(needed)
    assert "intraclass correlation of 0.1" in " ".join(found["assumed"])


def test_a_baseline_without_discordance_assumes_independent_arms_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "only one arm answers 32.0% of questions correctly, as if the arms were independent" in said(
        capsys, "--baseline", "0.8", "--n", "300"
    )


def test_scores_on_a_scale_are_given_in_their_own_units(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--sd", "0.4", "--clusters", "50x4", "--replicates", "3")
    assert "200 questions can detect a difference of 0.0753 or more." in text
    assert "points" not in text


def test_if_no_difference_is_large_enough_that_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
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
        (["--sd", "0.4", "--n", "50", "--alpha", "0.2", "--power", "0.2"], "--power 0.2 is not above --alpha 0.2"),
        (["--sd", "0.4", "--n", "5"], "no p-value reaches 0.05 with fewer than 6"),
    ],
)
def test_unusable_assumptions_are_refused_with_what_to_give(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["power", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("size", [["--n", "100"], ["--clusters", "50x2"], ["--detect", "0.1"]])
@pytest.mark.parametrize(
    ("assumed", "remedy"),
    [
        (["--baseline", "1"], "give a --baseline between 0 and 1"),
        (["--baseline", "0"], "give a --baseline between 0 and 1"),
        (["--discordance", "0"], "give another --discordance"),
        (["--baseline", "0.9", "--discordance", "0.2"], "give another --discordance"),
        (["--baseline", "0.5", "--discordance", "1"], "give another --discordance"),
    ],
)
def test_if_no_answers_can_differ_that_is_reported(
    capsys: pytest.CaptureFixture[str], size: list[str], assumed: list[str], remedy: str
) -> None:
    assert main(["power", *assumed, *size]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "under these assumptions, no difference can be larger than 0 next: " in error
    assert remedy in error


@pytest.mark.parametrize("flag", ["--alpha", "--power"])
@pytest.mark.parametrize("word", ["0", "1", "1e-300", "nan", "x"])
def test_a_level_and_a_power_lie_between_0_and_1(capsys: pytest.CaptureFixture[str], flag: str, word: str) -> None:
    with pytest.raises(SystemExit):
        main(["power", "--discordance", "0.2", "--n", "100", flag, word])
    assert f"{flag}: expected a number above 0 and below 1, got {word!r}" in capsys.readouterr().err


@given(
    st.sampled_from([
        ("--sd", 1e-9), ("--sd", 0.3), ("--sd", 1e9), ("--discordance", 1.0), ("--discordance", 1.5e-9),
        ("--discordance", 0.2), ("--baseline", 1e-9), ("--baseline", 0.5), ("--baseline", 1 - 1e-9),
    ]),
    st.sampled_from([("--n", "2"), ("--n", "300"), ("--n", "1000000000"), ("--detect", "1e-9"), ("--detect", "0.2"),
                     ("--detect", "1e9"), ("--clusters", "50x2"), ("--clusters", "3x900")]),
    st.sampled_from([1e-12, 0.05, 0.9, 1 - 1e-12]),
    st.sampled_from([1e-12, 0.8, 1 - 1e-12]),
    st.sampled_from(["1", "3"]),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_assumptions_at_the_ends_of_their_ranges_cause_no_unexpected_error(
    scores: tuple[str, float], size: tuple[str, str], alpha: float, power: float, replicates: str
) -> None:
    words = [scores[0], repr(scores[1]), *size, "--alpha", repr(alpha), "--power", repr(power)]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
        assert main(["power", *words, "--replicates", replicates]) in {0, 2}, err.getvalue()


@pytest.mark.parametrize("word", ["2", "-0.1", "nan", "x"])
def test_a_share_is_a_number_from_0_to_1(capsys: pytest.CaptureFixture[str], word: str) -> None:
    with pytest.raises(SystemExit):
        main(["power", f"--discordance={word}", "--n", "10"])
    assert "--discordance" in capsys.readouterr().err
