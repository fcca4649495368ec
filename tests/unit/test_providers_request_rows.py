"""The line of a request file."""

import dataclasses
import json

import pytest

from promptrial.model import Message, Request, RequestId, Sampling, ids
from promptrial.providers.request_rows import decode_request_row, encode_request_row, row_id

RID = RequestId("nq", "q|1 é", "treatment", "0.7", 3, "closed")
REQUEST = Request(
    RID,
    (Message("system", "Sei genau.\n"), Message("user", 'Q: "é" \u2028 \\ 🜚?')),
    Sampling(0.7, 1.0, 50, 16, ("\n", "é"), 123),
)


def test_a_row_has_all_fields_and_reads_back() -> None:
    line = encode_request_row(REQUEST)
    assert b"\n" not in line
    assert json.loads(line) == {
        "custom_id": ids.wire_encode(RID),
        "body": {
            "messages": [
                {"role": "system", "content": "Sei genau.\n"},
                {"role": "user", "content": 'Q: "é" \u2028 \\ 🜚?'},
            ],
            "temperature": 0.7,
            "top_p": 1.0,
            "top_k": 50,
            "max_tokens": 16,
            "stop": ["\n", "é"],
            "seed": 123,
        },
    }
    row = decode_request_row(line)
    assert (row.custom_id, row.body.messages, row.body.stop) == (ids.wire_encode(RID), REQUEST.messages, ("\n", "é"))
    assert row_id(line) == ids.wire_encode(RID)


def test_the_same_request_gives_the_same_bytes() -> None:
    assert encode_request_row(REQUEST) == encode_request_row(REQUEST)


def test_the_id_of_a_row_is_read_whatever_else_it_contains() -> None:
    assert row_id(b' {"error": {"custom_id": 3}, "custom_id": "a-b", "body": null} ') == "a-b"


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"null", b"[]", b"{}", b'{"custom_id": 3}', b'{"custom_id": "\xff"}', b'{"custom_id": "a"', b"a" * 99,
     b'{"custom_id": "\\ud800"}', b'{"x": ' + b"[" * 100_000],
)  # fmt: skip
def test_a_line_that_is_not_a_row_is_a_value_error(line: bytes) -> None:
    for read in (row_id, decode_request_row):
        with pytest.raises(ValueError):  # noqa: PT011 - the kind is the promise; the words are msgspec's
            read(line)


@pytest.mark.parametrize("key", ["messages", "temperature", "top_p", "top_k", "max_tokens", "seed"])
def test_a_request_without_one_of_its_parameters_is_refused(key: str) -> None:
    row = json.loads(encode_request_row(REQUEST))
    del row["body"][key]
    with pytest.raises(ValueError, match=key):
        decode_request_row(json.dumps(row).encode())


def test_an_empty_list_of_stop_sequences_is_omitted_because_some_servers_refuse_it() -> None:
    request = dataclasses.replace(REQUEST, sampling=dataclasses.replace(REQUEST.sampling, stop=()))
    line = encode_request_row(request)
    assert "stop" not in json.loads(line)["body"]
    assert decode_request_row(line).body.stop == ()
