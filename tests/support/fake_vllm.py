"""``vllm run-batch``, played: the words of its command line, and answers of the emulator's echo. Run as a program."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from promptrial_emulator.responders.echo import EchoResponder
from promptrial_emulator.run_batch import run_batch
from promptrial_emulator.settings import EmulatorSettings

__all__ = ["install"]


def install(folder: Path) -> str:
    """Put a program ``vllm`` into a folder; return the search path on which it comes first."""
    folder.mkdir(exist_ok=True)
    program = folder / "vllm"
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{__file__}' \"$@\"\n")
    program.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def _main() -> None:
    """Answer a file; with ``FAKE_VLLM_ROWS`` only that number of its rows, as a crash leaves it."""
    parser = argparse.ArgumentParser(prog="vllm")
    parser.add_argument("verb", choices=["run-batch"])
    parser.add_argument("-i", type=Path, required=True)
    parser.add_argument("-o", type=Path, required=True)
    parser.add_argument("--model", required=True)
    args, _ = parser.parse_known_args()
    responder = EchoResponder(EmulatorSettings())
    rows = list(
        run_batch(args.i.read_bytes().splitlines(), lambda name, row: next(iter(responder.replies(name, [row]))))
    )
    most = int(os.environ.get("FAKE_VLLM_ROWS", len(rows)))
    args.o.write_bytes(b"".join(row + b"\n" for row in rows[:most]))


if __name__ == "__main__":
    _main()
