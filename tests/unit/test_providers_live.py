"""What live adapters have in common, and how a request for fewer requests is recognised."""

from __future__ import annotations

import msgspec
import pytest

from promptrial.errors import PermanentError, SlowDownError, TransientError
from promptrial.providers.chat_rows import parse_chat_row
from promptrial.providers.http_outcomes import Call, Reply, refusal
from promptrial.providers.http_service import Service
from promptrial.providers.live import error_row

CALL = Call(Service("the server", "http://127.0.0.1:9", "", ""), "answer a request")


def test_the_row_of_a_refused_request_is_read_as_an_error_of_that_request() -> None:
    row = error_row("q1", "context_length_exceeded", "too long:\nby 7 tokens")
    assert b"\n" not in row
    read = parse_chat_row(row)
    assert (read.wire_id, read.text) == ("q1", "")
    assert read.error == "context_length_exceeded: too long:\nby 7 tokens"
    assert msgspec.json.decode(row).keys() == {"custom_id", "error"}


def test_a_request_for_fewer_requests_is_distinguished_from_a_failure() -> None:
    busy = refusal(CALL, Reply(429, "slow down", "rate_limit_exceeded", 7.0))
    assert isinstance(busy, SlowDownError)
    assert busy.retry_after_s == 7.0
    broken = refusal(CALL, Reply(503, "try later", "", 3.0))
    assert isinstance(broken, TransientError)
    assert not isinstance(broken, SlowDownError)


@pytest.mark.parametrize(("status", "code"), [(429, "insufficient_quota"), (402, "")])
def test_an_account_without_credit_is_a_permanent_error(status: int, code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        raise refusal(CALL, Reply(status, "You exceeded your current quota", code, None))
    assert "credit" in str(caught.value.hint)
