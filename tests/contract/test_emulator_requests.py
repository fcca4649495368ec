"""The emulator shows what clients asked: every call as it came, without keys."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.emulator_client import EmulatorClient, chat_row, jsonl
from tests.support.emulator_fixtures import Start, start

__all__ = ["start"]


def seen(client: EmulatorClient) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.plain.get(f"{client.url}/__emu/requests").json()["rows"]
    return rows


def test_calls_are_shown_in_order_with_their_query_and_json(start: Start) -> None:
    own = start()
    own.post_dataset("in-1", 2)
    own.http.get("batchInferenceJobs", params={"pageSize": "1", "filter": ""})
    first, second = seen(own)
    assert (first["method"], first["path"], first["query"]) == ("POST", "/v1/accounts/emulator/datasets", [])
    assert first["json"] == {"datasetId": "in-1", "dataset": {"exampleCount": "2", "userUploaded": {}}}
    assert first["headers"]["content-type"] == "application/json"
    assert second["query"] == [["pageSize", "1"], ["filter", ""]]
    assert (second["bytes"], second["json"]) == (0, None)


def test_a_body_that_is_not_json_is_shown_only_by_its_size(start: Start) -> None:
    own = start()
    own.post_dataset("in-1")
    own.post_upload("in-1", jsonl([chat_row("a")]))
    upload = seen(own)[-1]
    assert upload["path"].endswith("/datasets/in-1:upload")
    assert upload["headers"]["content-length"] == str(upload["bytes"])
    assert upload["json"] is None


def test_refused_calls_and_repeats_are_shown_too_but_not_those_of_the_control_api(start: Start) -> None:
    own = start()
    for _ in range(3):
        own.get_job("never-made")
    httpx.get(f"{own.url}/v1/nowhere")
    own.advance(1)
    assert [row["path"].rpartition("/")[2] for row in seen(own)] == ["never-made"] * 3 + ["nowhere"]


def test_no_key_is_shown(start: Start) -> None:
    own = start(key="a-very-secret-key")
    own.post_dataset("in-1")
    assert "a-very-secret-key" not in own.plain.get(f"{own.url}/__emu/requests").text


def test_a_request_that_is_never_answered_is_shown_too(start: Start) -> None:
    own = start()
    own.fault("F3", "create_dataset")
    with pytest.raises(httpx.TransportError):
        own.post_dataset("in-1")
    # How much of its body had come by then is up to the network.
    assert [(row["method"], row["path"]) for row in seen(own)] == [("POST", "/v1/accounts/emulator/datasets")]
    assert own.ledger() == []
