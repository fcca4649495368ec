"""What one HTTP exchange may take, against a real server that gives too much, too slowly, or packed in layers."""

from __future__ import annotations

import functools
import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import msgspec
import pytest

from promptrial.errors import OutcomeUnknownError, ProviderError, TransferStoppedError, TransientError
from promptrial.providers import http_bodies
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import Kind, UnusableBodyError
from promptrial.providers.http_service import Service, Timeouts
from tests.support.http_scripted import Reply, ScriptedServer, bare, reply, server

__all__ = ["server"]

KEY = "fw_" + "secretsecret"
SHORT = Timeouts(20.0, 20.0, 20.0, 20.0, 20.0, call_s=0.3, file_s=0.3, least_rate=1e6, stopping_s=0.2)
ROWS = b'{"custom_id":"a"}\n' * 1000


class Thing(msgspec.Struct):
    name: str


@pytest.fixture
def make(server: ScriptedServer) -> Iterator[Callable[[Timeouts], HttpClient]]:
    made: list[HttpClient] = []

    def client(times: Timeouts) -> HttpClient:
        made.append(HttpClient(Service("Vendor", server.url, KEY, "VENDOR_KEY"), times))
        return made[-1]

    yield client
    for each in made:
        each.close()


@pytest.fixture
def client(make: Callable[[Timeouts], HttpClient]) -> HttpClient:
    return make(Timeouts())


def dripped(whole: Reply, part: str) -> Reply:
    """Return a reply of which the head, or only the body, comes a byte at a time: a long one takes minutes."""
    at_once = 0 if part == "head" else whole.raw.index(b"\r\n\r\n") + 4
    return replace(whole, drip_s=0.02, at_once=at_once)


def call(client: HttpClient, kind: Kind = Kind.REPEATABLE) -> Thing:
    return client.call("POST", "/v1/things", Thing, what="make thing t", kind=kind, body={"a": 1})


def lines(client: HttpClient, server: ScriptedServer) -> list[bytes]:
    return list(client.lines(f"{server.url}/file?X-Goog-Signature=abc", what="download it"))


def fails(ask: Callable[[], object], kind: type[ProviderError], match: str) -> ProviderError:
    """Require an error of exactly this kind, in one sentence. One that waits for a long drip exceeds pytest's limit."""
    with pytest.raises(kind, match=match) as caught:
        ask()
    assert "\n" not in caught.value.message
    assert "Signature" not in caught.value.message
    return caught.value


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["head", "body"])
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("kind", Kind)
def test_an_answer_sent_byte_by_byte_ends_within_the_timeout_of_the_call(
    server: ScriptedServer, make: Callable[[Timeouts], HttpClient], part: str, status: int, kind: Kind
) -> None:
    server.on("POST", "/v1/things", dripped(reply(status, b'{"name":"' + b"t" * 20_000 + b'"}'), part))
    error = OutcomeUnknownError if kind is Kind.CREATES else TransientError
    match = "took more than 0.3 s" if status == 200 or part == "head" else "HTTP 500"
    fails(lambda: call(make(SHORT), kind), error, match)


@pytest.mark.parametrize("part", ["head", "body"])
@pytest.mark.parametrize("status", [200, 503])
def test_a_file_sent_byte_by_byte_ends_within_its_timeout(
    server: ScriptedServer, make: Callable[[Timeouts], HttpClient], part: str, status: int
) -> None:
    server.on("GET", "/file", dripped(reply(status, ROWS), part))
    match = r"took more than 0\.3" if status == 200 or part == "head" else "HTTP 503"
    fails(lambda: lines(make(SHORT), server), TransientError, match)


def test_an_upload_whose_answer_is_sent_byte_by_byte_ends_within_its_timeout(
    server: ScriptedServer, make: Callable[[Timeouts], HttpClient], tmp_path: Path
) -> None:
    (tmp_path / "r").write_bytes(ROWS)
    server.on("POST", "/v1/up", dripped(reply(200, ROWS), "head"))
    server.on("PUT", "/file", dripped(reply(200, ROWS), "head"))
    client = make(SHORT)
    fails(lambda: client.upload("/v1/up", tmp_path / "r", "r", what="upload it"), TransientError, "took more than")
    fails(
        lambda: client.put(f"{server.url}/file", tmp_path / "r", {}, what="upload it"), TransientError, "took more than"
    )


def test_each_byte_extends_the_timeout_of_a_slow_file_and_the_readers_time_does_not_count(
    server: ScriptedServer, make: Callable[[Timeouts], HttpClient]
) -> None:
    whole = reply(200, ROWS[: 18 * 3])
    server.on("GET", "/file", dripped(whole, "body"))
    assert len(lines(make(replace(SHORT, least_rate=10.0)), server)) == 3
    server.on("GET", "/file", reply(200, ROWS * 200))
    count = 0
    for _ in make(SHORT).lines(f"{server.url}/file", what="download it"):
        count += 1
        if count == 100:
            time.sleep(0.5)  # what is done with a row is no time of the exchange
    assert count == 200_000


def test_by_default_every_call_and_every_file_has_a_timeout() -> None:
    times = Timeouts()
    assert times.read_s < times.call_s <= 120.0
    assert times.transfer_s < times.file_s <= 1200.0
    assert times.least_rate >= 1024.0
    assert times.stopping_s <= 60.0


@pytest.mark.parametrize("proxied", [False, True])
def test_the_library_still_has_the_attributes_that_the_timeouts_hook_into(
    monkeypatch: pytest.MonkeyPatch, proxied: bool
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9" if proxied else "")
    client = HttpClient(Service("Vendor", "https://vendor.example", KEY, "VENDOR_KEY"))
    for each in client._open():
        transports = [each._transport, *[mount for mount in each._mounts.values() if mount is not None]]
        assert len(transports) > proxied
        for transport in transports:
            assert isinstance(transport, httpx.HTTPTransport)
            assert type(transport._pool._network_backend).__module__ == "promptrial.providers.exchange"
    client.close()


# --- a stop ----------------------------------------------------------------------------------------------------------


def test_a_stop_ends_a_download_after_its_grace_period_and_an_upload_immediately(
    server: ScriptedServer, make: Callable[[Timeouts], HttpClient], tmp_path: Path
) -> None:
    client = make(Timeouts(stopping_s=0.2))
    (tmp_path / "r").write_bytes(ROWS)
    for method, path in (("GET", "/file"), ("PUT", "/file"), ("POST", "/v1/up")):
        server.on(method, path, dripped(reply(200, ROWS), "head"))
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 1

    client.stop_asked = stop
    fails(lambda: lines(client, server), TransferStoppedError, "a stop was asked for")
    assert len(asked) > 1
    client.stop_asked = lambda: True
    for ask in (
        lambda: client.upload("/v1/up", tmp_path / "r", "r", what="upload it"),
        lambda: client.put(f"{server.url}/file", tmp_path / "r", {}, what="upload it"),
    ):
        fails(ask, TransferStoppedError, "a stop was asked for")
    server.on("GET", "/file", reply(200, ROWS))
    assert len(lines(client, server)) == 1000, "a file that comes at once is taken"
    server.on("POST", "/v1/things", reply(200, b'{"name":"t"}'))
    assert call(client).name == "t", "a call is never left half-way"


# --- bytes -----------------------------------------------------------------------------------------------------------


@functools.cache
def zeros() -> bytes:
    """Return 192 MiB, packed: it takes a second, and so is not done where tests are only collected."""
    return gzip.compress(bytes(192 << 20), 9)


PACKED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "twice": ("gzip, gzip", lambda: gzip.compress(gzip.compress(ROWS)), "compressed more than once, as 'gzip, gzip'"),
    "ten times": (", ".join(["gzip"] * 10), zeros, "compressed more than once"),
    "in two ways": ("deflate, gzip", lambda: gzip.compress(zlib.compress(ROWS)), "compressed more than once"),
    "too well": ("gzip", zeros, "decompress to more than"),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_body_compressed_in_layers_or_extremely_is_refused_in_little_memory(
    server: ScriptedServer, client: HttpClient, name: str
) -> None:
    packing, packed, match = PACKED[name]
    body = packed()
    server.on("GET", "/file", reply(200, body, Content_Encoding=packing))
    for status in (200, 500):
        server.on("POST", "/v1/things", *[reply(status, body, Content_Encoding=packing)] * 2)
    tracemalloc.start()
    try:
        fails(lambda: lines(client, server), UnusableBodyError, match)
        fails(lambda: call(client), TransientError, "HTTP 500")
        server.on("POST", "/v1/things", reply(200, body, Content_Encoding=packing))
        fails(lambda: call(client), UnusableBodyError, match)
        fails(lambda: call(client, Kind.CREATES), OutcomeUnknownError, match)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 96 << 20


@pytest.mark.parametrize("packing", ["zstd", "br", "deflate", "compress"])
def test_an_unrequested_compression_is_not_decompressed(
    server: ScriptedServer, client: HttpClient, packing: str
) -> None:
    server.on("GET", "/file", reply(200, ROWS, Content_Encoding=packing))
    server.on("POST", "/v1/things", reply(200, b'{"name":"t"}', Content_Encoding=packing))
    fails(lambda: lines(client, server), TransientError, "not requested")
    fails(lambda: call(client), TransientError, "not requested")
    fails(lambda: call(client, Kind.CREATES), OutcomeUnknownError, "not requested")


def test_a_gzip_answer_is_read_and_a_truncated_one_is_refused(server: ScriptedServer, client: HttpClient) -> None:
    packed = gzip.compress(b'{"name":"t"}')
    server.on("POST", "/v1/things", reply(200, packed, Content_Encoding="gzip"))
    assert call(client).name == "t"
    server.on("POST", "/v1/things", reply(200, packed[:-9], Content_Encoding="gzip"))
    fails(lambda: call(client), TransientError, "cannot be decompressed")
    fails(lambda: call(client, Kind.CREATES), OutcomeUnknownError, "cannot be decompressed")


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_beyond_the_limit_is_refused_by_its_announced_or_actual_size(
    server: ScriptedServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    monkeypatch.setattr(http_bodies, "_MAX_FILE", 10_000)
    answer = reply(200, ROWS[:18], announce=18_000) if announced else bare(200, ROWS)
    server.on("GET", "/file", answer)
    match = "announces 18000 bytes" if announced else "more than 10,000 bytes"
    fails(lambda: lines(client, server), UnusableBodyError, match)


@pytest.mark.parametrize("length", ["9" * 30, "9" * 5000, "-1", "1e9", "\N{SUPERSCRIPT TWO}"])
def test_an_invalid_length_is_an_error_and_not_a_crash(server: ScriptedServer, client: HttpClient, length: str) -> None:
    server.on("GET", "/file", bare(200, ROWS, Content_Length=length))
    server.on("POST", "/v1/things", bare(200, ROWS, Content_Length=length))
    for ask in (lambda: lines(client, server), lambda: call(client)):
        fails(ask, ProviderError, "could not")
