"""The checks of a soak see what they are there to see; no run is needed for that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.soak.checks import Ended, KeptRows, after_interruption
from tests.soak.interruptions import KINDS, Struck, draw
from tests.support.crash_lab import RUN

ROWS = b'{"custom_id": "a"}\n{"custom_id": "b"}\n'


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A part of a run with two whole rows and a torn one."""
    folder = tmp_path / RUN / "trial/results/t0_control_p001"
    folder.mkdir(parents=True)
    (folder / "results.partial.jsonl").write_bytes(ROWS + b'{"cus')
    return folder


def seal(part: Path, rows: bytes) -> None:
    """Do what a resume does: add to the file of rows, and give it its final name."""
    path = part / "results.partial.jsonl"
    with path.open("r+b") as file:
        file.truncate()
        file.write(rows)
    path.rename(part / "results.jsonl")


def test_rows_that_a_resume_adds_to_are_kept(part: Path, tmp_path: Path) -> None:
    with KeptRows(tmp_path / RUN) as kept:
        seal(part, ROWS + b'{"custom_id": "c"}\n')
        assert list(kept.problems()) == []
        assert len(kept) == 2


def test_recomputed_rows_are_reported_even_with_the_same_bytes(part: Path, tmp_path: Path) -> None:
    with KeptRows(tmp_path / RUN) as kept:
        (part / "results.partial.jsonl").unlink()
        (part / "results.jsonl").write_bytes(ROWS)
        assert list(kept.problems()) == ["t0_control_p001: 2 whole rows were computed again"]


@pytest.mark.parametrize("rows", [b"", ROWS[19:] + ROWS[:19], ROWS.replace(b"a", b"A")])
def test_lost_moved_and_changed_rows_are_reported(part: Path, tmp_path: Path, rows: bytes) -> None:
    with KeptRows(tmp_path / RUN) as kept:
        seal(part, rows)
        assert list(kept.problems()) == ["t0_control_p001: 2 whole rows were changed"]


def test_missing_rows_are_reported(part: Path, tmp_path: Path) -> None:
    with KeptRows(tmp_path / RUN) as kept:
        (part / "results.partial.jsonl").unlink()
        assert list(kept.problems()) == ["t0_control_p001: 2 rows were kept, and now there are []"]


def test_duplicate_rows_and_wrong_exit_codes_are_reported(part: Path, tmp_path: Path) -> None:
    (part / "results.partial.jsonl").write_bytes(ROWS + ROWS)
    (tmp_path / "said-1").write_text("it broke")
    (tmp_path / RUN / "run.log").write_text('{"event": "begin"}\n')
    struck = Struck(in_time=True, at=0, started=True, stale=False, problem="")
    found = list(after_interruption(tmp_path, "SIGTERM", struck, Ended(-15, 1), {}))
    assert found == ["exit code -15: it broke", "t0_control_p001: a row is there twice"]


@pytest.mark.parametrize(
    ("code", "said"),
    [(-15, ""), (-2, "KeyboardInterrupt\n"), (1, "KeyboardInterrupt\n"), (130, "interrupted\n"), (143, "terminated\n")],
)
def test_a_signal_before_the_run_has_started_may_end_the_process(tmp_path: Path, code: int, said: str) -> None:
    (tmp_path / "said-1").write_text(said)
    early = Struck(in_time=True, at=0, started=False, stale=False, problem="")
    assert list(after_interruption(tmp_path, "SIGINT", early, Ended(code, 1), {})) == []
    assert list(after_interruption(tmp_path, "SIGINT", replace(early, started=True), Ended(code, 1), {})) != []


def test_a_stop_that_takes_too_long_is_reported(tmp_path: Path) -> None:
    (tmp_path / "said-1").write_text("")
    struck = Struck(in_time=True, at=0, started=True, stale=False, problem="")
    assert list(after_interruption(tmp_path, "sentinel", struck, Ended(5, 11), {})) == ["the stop took 11.0 s"]


def test_the_seed_decides_what_is_drawn() -> None:
    first, again, other = (draw(np.random.default_rng([1, number]), list(KINDS)) for number in (1, 1, 2))
    assert first == again
    assert first != other
