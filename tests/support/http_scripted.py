"""A server of raw bytes: it gives scripted answers to each path, with resets, stalls and truncation."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

End = Literal["close", "reset", "stall", "drain"]


@dataclass(frozen=True)
class Reply:
    """Bytes to send as they are, after a delay, and what comes after them.

    ``read`` is False to act before the request is read. With ``drip_s`` one byte is sent each so many seconds, once
    the first ``at_once`` are out.
    """

    raw: bytes = b""
    end: End = "close"
    read: bool = True
    delay_s: float = 0.0
    drip_s: float = 0.0
    at_once: int = 0


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def reply(status: int = 200, body: bytes = b"", *, announce: int | None = None, **headers: Any) -> Reply:
    """Return an answer with a length, by default the right one; underscores in header names become hyphens."""
    lines = {"Content-Length": str(len(body) if announce is None else announce)}
    return bare(status, body, **lines, **headers)


def bare(status: int = 200, body: bytes = b"", **headers: Any) -> Reply:
    """Return an answer with no headers but those given: its end is where the connection ends."""
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return Reply(f"HTTP/1.1 {status} Status\r\nConnection: close\r\n{head}\r\n".encode() + body)


def json_reply(value: object, status: int = 200, **headers: Any) -> Reply:
    return reply(status, json.dumps(value).encode(), **headers)


@dataclass
class ScriptedServer:
    """What is answered to each ``METHOD path`` (the last entry repeats), and what was asked."""

    port: int
    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    first: Reply | None = None
    """If set, what every connection meets before its request is looked at."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, *replies: Reply) -> None:
        self.replies[f"{method} {path}"] = list(replies)

    def next_reply(self, asked: Asked) -> Reply:
        told = self.replies.get(f"{asked.method} {asked.target.partition('?')[0]}", [reply(599, b"not told")])
        return told.pop(0) if len(told) > 1 else told[0]


@contextmanager
def scripted() -> Iterator[ScriptedServer]:
    """Run a server until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = ScriptedServer(listener.getsockname()[1])
    over = threading.Event()
    workers: list[threading.Thread] = []

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if over.is_set():
                connection.close()
                return
            worker = threading.Thread(target=_serve, args=(server, connection))
            workers.append(worker)
            worker.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield server
    finally:
        over.set()
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port)).close()
        for thread in (acceptor, *workers):
            thread.join()
        listener.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a server for one test; a fixture that test modules import."""
    with scripted() as running:
        yield running


def _serve(server: ScriptedServer, connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        told = server.first
        if told is None or told.read:
            asked = _request(connection)
            if asked is None:
                return
            server.asked.append(asked)
            told = told or server.next_reply(asked)
        else:
            connection.recv(1, socket.MSG_PEEK)  # sooner, there may be no connection yet in the eyes of the client
        if told.delay_s:
            threading.Event().wait(told.delay_s)
        _send(connection, told)
        if told.end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif told.end == "stall":
            connection.recv(1)  # until the client goes away
        elif told.end == "drain":
            while connection.recv(1 << 16):
                pass


def _send(connection: socket.socket, told: Reply) -> None:
    if not told.drip_s:
        connection.sendall(told.raw)
        return
    connection.sendall(told.raw[: told.at_once])
    for byte in told.raw[told.at_once :]:
        connection.sendall(bytes([byte]))
        threading.Event().wait(told.drip_s)


def _request(connection: socket.socket) -> Asked | None:
    with connection.makefile("rb") as stream:
        line = stream.readline()
        if not line:
            return None
        method, target, _ = line.decode().split(" ", 2)
        headers: dict[str, str] = {}
        while (header := stream.readline().strip()) != b"":
            name, _, value = header.decode().partition(":")
            headers[name.strip().lower()] = value.strip()
        return Asked(method, target, headers, _body(stream, headers))


def _body(stream: Any, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return bytes(stream.read(int(headers.get("content-length", "0"))))
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    return body
