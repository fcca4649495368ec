"""A server that answers once more than it was asked, on a connection that is used again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import httpx
import pytest

from promptrial.providers.exchange import pools_of
from promptrial.providers.http import HttpClient
from promptrial.providers.http_service import Service
from tests.support.http_scripted import bare, reply


def with_a_length(body: bytes) -> bytes:
    return reply(200, body).raw.replace(b"Connection: close\r\n", b"")


def in_chunks(body: bytes) -> bytes:
    head = bare(200, Transfer_Encoding="chunked").raw.replace(b"Connection: close\r\n", b"")
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.fixture(params=[with_a_length, in_chunks])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a server that repeats the path of each request, twice, and keeps the connection."""
    framed: Callable[[bytes], bytes] = request.param
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, suppress(OSError):
            while line := stream.readline():
                while stream.readline().strip():
                    pass
                connection.sendall(framed(b'"%s"' % line.split()[1]) * 2)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    acceptor.join()
    listener.close()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("many", [False, True])
def test_each_request_gets_its_own_answer(url: str, many: bool) -> None:
    with closing(HttpClient(Service("Vendor", url, "", ""), many=many)) as http:
        found = [http.call("GET", f"/{number}", str, what="ask") for number in range(5)]
    assert found == ["/0", "/1", "/2", "/3", "/4"]


def test_the_library_still_keeps_what_was_sent_too_much_where_it_is_looked_for(url: str) -> None:
    """Without this place surplus answers would be found on no connection, and nothing would say so."""
    with httpx.Client(trust_env=False) as client:
        assert client.get(f"{url}/0").text == '"/0"'
        held = [connection for pool in pools_of(client) for connection in pool.connections]
        assert len(held) == 1
        assert held[0].is_idle()
        assert held[0]._connection._h11_state.trailing_data[0].startswith(b"HTTP/1.1 200")
