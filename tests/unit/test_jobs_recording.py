"""What is recorded about a part: its reason contains no secret, whichever way it is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrial.runtime.events import Redactor
from tests.support.hosted_provider import Lab
from tests.support.lending import recorder_of

SECRET = "q7Xk2-of-mine"  # noqa: S105 - of nobody
REASON = f"the vendor repeats {SECRET}"
WAYS = {
    "record": lambda recorder, work: recorder.record(work, "failed", reason=REASON),
    "not here": lambda recorder, work: recorder.record_not_here(work, REASON, lost=False),
    "lost": lambda recorder, work: recorder.record_lost(work, "key-1", REASON, rows=1),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_recorded_reason_contains_no_secret(tmp_path: Path, way: str) -> None:
    lab = Lab.make(tmp_path)
    work = lab.work()[0]
    WAYS[way](recorder_of(lab, Redactor({"MY_KEY": SECRET})), work)
    (line,) = work.folder.journal.read()
    assert line.reason == "the vendor repeats [redacted]"
    assert SECRET not in repr(work.record)


def test_the_reason_for_lost_answers_contains_no_secret(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path)
    work = lab.work()[0]
    recorder = recorder_of(lab, Redactor({"MY_KEY": SECRET}))
    recorder.record(work, "downloaded")
    recorder.record_not_here(work, REASON, lost=True)
    assert (work.record.status, work.record.reason) == ("downloaded", "the vendor repeats [redacted]")


def test_a_recorded_reason_keeps_its_words_even_if_they_equal_a_variable(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path)
    work = lab.work()[0]
    recorder = recorder_of(lab, Redactor({}, {"shared": "${KIND}"}))
    recorder.record(work, "downloaded", reason="shared with another")
    assert work.record.reason == "shared with another"
