"""``promptrial doctor --probe``: consent, the answers as they come, and where they are kept."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from promptrial.cli.options import experiments_dir
from promptrial.config.environment import DEFAULT_CONFIG, environment
from promptrial.errors import UsageError
from promptrial.runtime.clock import SystemClock
from promptrial.runtime.terminal import print_result, say_to_stderr

if TYPE_CHECKING:
    from promptrial.care.probing import Planned
    from promptrial.documents.probe import ProbeAnswer

__all__ = ["execute_probe"]


def execute_probe(args: argparse.Namespace) -> int:
    """Ask a vendor, print the answers and keep them.

    Raises
    ------
    UsageError
        If there is no such provider or model, the file exists, or nobody has agreed to what it sends.
    """
    import msgspec

    from promptrial.care.probing import plan_probe, run_probe
    from promptrial.config.loading import load_config

    env, clock = environment(os.environ, Path.cwd()), SystemClock()
    config = args.config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    experiment = None if config is None else load_config(config, env, {}).experiment
    planned = plan_probe(experiment, args.probe, args.model, env, clock.now())
    out = args.out or _new_file(experiments_dir(args), args.probe, clock.now())
    if out.exists():
        raise UsageError(f"--out: {out} exists", hint="name another file, or move this one")
    _require_consent(planned, agreed=args.yes)
    say_to_stderr(f"the answers are saved in {out}; this may take as long as a batch does")
    document = run_probe(planned, env, clock, out, lambda answer: say_to_stderr(_line(answer)))
    if args.json:
        print_result(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")
    else:
        print_result("".join(f"{answer.question}\n    {answer.found}\n" for answer in document.answers) + f"{out}\n")
    return 0


def _new_file(folder: Path, name: str, now: str) -> Path:
    stamp = now[:19].replace("-", "").replace(":", "").replace("T", "_")
    return folder / f"probe_{name}_{stamp}.json"


def _require_consent(planned: Planned, *, agreed: bool) -> None:
    """Say what is sent, and go on only if that was agreed to, by a flag or at the terminal."""
    say_to_stderr(str(planned))
    if agreed:
        return
    if not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError(
            "--probe sends requests, and asks first; there is no terminal to ask on", hint="agree with --yes"
        )
    say_to_stderr("continue? [y/N]")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("nothing was sent")


def _line(answer: ProbeAnswer) -> str:
    return f"{answer.name}: {answer.found}"
