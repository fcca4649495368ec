"""Reports of known figures read as they did when somebody last read them."""

from __future__ import annotations

import json

import pytest

from tests.support.kept_reports import KEPT, written

REPORTS = json.loads(KEPT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reports() -> dict[str, list[str]]:
    return written()


def test_every_report_is_kept(reports: dict[str, list[str]]) -> None:
    assert list(reports) == list(REPORTS)


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_reads_as_it_was_kept(reports: dict[str, list[str]], name: str) -> None:
    assert reports[name] == REPORTS[name], "read what differs; to keep it: python -m tests.support.kept_reports"
