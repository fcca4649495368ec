"""Records beside answers: what was asked again, and where reused answers came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrial.errors import CorruptRecordError
from promptrial.store.part_records import ReusedAnswers, ReusedFrom
from promptrial.store.recheck_records import (
    RECHECK_FILE,
    OlderScore,
    Rechecked,
    RecheckedFrom,
    read_rechecked,
    write_rechecked,
)
from promptrial.store.reused_files import leave_reused, read_reused

SCORE = OlderScore(item_key="d:1", temp="0.0", n_samples=2, scores={"em": 0.5, "f1": None})
SOURCE = RecheckedFrom(
    run_id="r", trial="t", scorers={"em": {"type": "em"}}, samples_per_item={"0.0": 2}, rows=(SCORE,)
)
REUSED = ReusedFrom(run_id="o", trial="t", part="p", rows=4, requests_sha256="a", results_sha256="b")


def test_the_record_of_rechecked_answers_reads_back_from_its_trial(tmp_path: Path) -> None:
    results = tmp_path / "t/results"
    assert read_rechecked(results) is None
    record = Rechecked(arm="control", items=9, sources=(SOURCE,))
    write_rechecked(results, record)
    assert read_rechecked(results) == record


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000])
def test_a_damaged_recheck_record_is_named_with_what_to_remove(tmp_path: Path, text: str) -> None:
    (tmp_path / RECHECK_FILE).write_text(text)
    with pytest.raises(CorruptRecordError, match="damaged") as caught:
        read_rechecked(tmp_path)
    assert f"rm {tmp_path / RECHECK_FILE}" in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000])
def test_the_source_of_reused_answers_reads_back_or_is_unknown(tmp_path: Path, text: str) -> None:
    assert read_reused(tmp_path, 2) is None
    reused = ReusedAnswers(at="t", sources=(REUSED,))
    leave_reused(tmp_path, 2, reused)
    assert read_reused(tmp_path, 2) == reused
    (tmp_path / "reused.a2.json").write_text(text)
    assert read_reused(tmp_path, 2) is None
