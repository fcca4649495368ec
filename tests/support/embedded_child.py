"""Run by ``test_embedded_provider`` to be killed: answers the request rows on its input, a row a line."""

from __future__ import annotations

import sys
from pathlib import Path

from promptrial.model import ModelSpec
from promptrial.providers.base import PartPayload
from promptrial.providers.embedded import EmbeddedProvider
from promptrial.providers.request_rows import decode_request_row


def main() -> None:
    requests = [decode_request_row(line) for line in sys.stdin.buffer]
    model = ModelSpec("smol", "smollm2-135m-instruct", "embedded")
    payload = PartPayload("part", "part", model, Path(), len(requests), 0, "", lambda: iter(requests))
    provider = EmbeddedProvider(engines=2)
    for row in provider.results(provider.submit(payload), payload):
        sys.stdout.buffer.write(row + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
