"""The part of a person in a dry run: a file of requests is handed to the emulator, and its answers are put beside it.

The emulator answers as ``vllm run-batch`` does; nothing leaves the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Self

import msgspec

from promptrial.errors import ConfigError
from promptrial.providers.http import HttpClient
from promptrial.providers.http_service import Service
from promptrial.store import jsonl
from promptrial.store.atomic import AtomicFile

__all__ = ["Rehearsal"]

_AT_ONCE: Final = 200
_PATH: Final = "/__emu/run_batch"


class _Answers(msgspec.Struct):
    rows: list[msgspec.Raw]


class Rehearsal:
    """An emulator that answers files of requests.

    Parameters
    ----------
    service : Service
    """

    def __init__(self, service: Service) -> None:
        self._http = HttpClient(service)

    @classmethod
    def at(cls, url: str) -> Self:
        """Return the one at an address of this machine.

        Raises
        ------
        ConfigError
            If the address is elsewhere.
        """
        service = Service("the emulator", url.rstrip("/"), "", "")
        if not service.is_here:
            raise ConfigError("files are answered only by a local emulator", hint="unset the variable")
        return cls(service)

    def answer(self, requests: Path, results: Path) -> None:
        """Write the answers to a file of requests; all of them or, if that fails, none."""
        with AtomicFile(results) as file:
            for row in self._rows(requests):
                file.write(row + b"\n")

    def _rows(self, requests: Path) -> Iterator[bytes]:
        lines = jsonl.lines(requests)
        while some := [*islice(lines, _AT_ONCE)]:
            body = {"rows": [msgspec.Raw(line) for line in some]}
            answers = self._http.call("POST", _PATH, _Answers, what=f"answer {requests.name}", body=body)
            yield from map(bytes, answers.rows)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
