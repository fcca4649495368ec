"""Values of unknown shape: an invalid one counts as missing."""

from __future__ import annotations

import pytest
from msgspec import json

from promptrial.providers.base import JobState
from promptrial.providers.fireworks_wire import Dataset, Job, job_status
from promptrial.providers.wire import entries, mapping, text, whole_number


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (7, 7),
        ("8192", 8192),
        (0, 0),
        (-1, None),
        (True, None),
        (1.5, None),
        ("1e3", None),
        ("9" * 16, None),
        (None, None),
    ],
)
def test_whole_numbers_are_read_from_numbers_and_from_text(told: object, expected: int | None) -> None:
    assert whole_number(told) == expected


def test_any_other_shape_is_read_as_empty() -> None:
    assert (text(None), mapping([]), entries({}), entries([1, {"a": 1}])) == ("", {}, [], [{"a": 1}])


@pytest.mark.parametrize("status", ["text", [], 7, None, {"code": "OK", "message": None}])
def test_an_invalid_status_at_fireworks_neither_hides_a_job_nor_refuses_a_dataset(status: object) -> None:
    told = json.encode({"name": "a/b", "state": "COMPLETED", "status": status, "exampleCount": 1.5})
    assert job_status(json.decode(told, type=Job)).state is JobState.READY
    dataset = json.decode(told, type=Dataset)
    assert (dataset.refusal, dataset.rows) == (None, None)


def test_a_dataset_that_is_refused_says_why() -> None:
    assert Dataset("a/b", status={"code": "INVALID", "message": "bad row"}).refusal == "bad row"
