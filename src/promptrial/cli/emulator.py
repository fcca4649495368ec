"""``promptrial emulator``: a local stand-in for vendors' APIs, until it is stopped."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import number, port, positive, share, whole
from promptrial.errors import UsageError
from promptrial.runtime.stop import StopToken, stop_on_signals
from promptrial.runtime.terminal import print_result, say_to_stderr
from promptrial_emulator.apis import APIS
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import RESPONDERS, EmulatorSettings, Tokenizer

__all__ = ["DESCRIPTION", "configure", "execute"]

_SPOKEN = "; ".join(sorted(api.spoken for api in APIS.values()))
DESCRIPTION = f"""Emulate the providers' APIs locally, at no cost, until SIGINT or SIGTERM.

One port serves all of these APIs: {_SPOKEN}.

The first line on stdout is the address. If started again with the same --state folder, the emulator continues where it
stopped."""
_LOOK_EVERY_S = 3600.0


def configure(parser: Parser) -> None:
    """Add the flags of the command."""
    defaults = EmulatorSettings()
    add_flag(parser, "state", "folder for the emulator's state", type=Path, metavar="DIR", required=True)
    add_flag(parser, "port", "port to listen on (default: a free one)", type=port, default=0, metavar="N")
    add_flag(parser, "key", f"the API key that is accepted (default: {defaults.key})", default=defaults.key)
    add_flag(parser, "account", (
        f"the account that the key belongs to (default: {defaults.account})"
    ), default=defaults.account,
             metavar="NAME")  # fmt: skip
    add_flag(parser, "quota", "maximum number of jobs in progress (default: no limit)", type=positive, metavar="N")
    group = parser.add_argument_group("answers")
    add_flag(parser, "responder", "how requests are answered: echo repeats the first words of the last message; oracle "
                                  "gives right, wrong or abstaining answers in chosen shares (needs --questions); "
                                  f"embedded asks the small included model (default: {defaults.responder})",
             group=group, choices=tuple(RESPONDERS), default=defaults.responder)  # fmt: skip
    add_flag(parser, "questions", "folder with open_book.jsonl and closed_book.jsonl, for the oracle", group=group,
             type=Path, metavar="DIR")  # fmt: skip
    for name, text in (("accuracy", "share of correct answers"), ("abstention", "share of abstentions")):
        default = getattr(defaults, name)
        add_flag(parser, name, f"{text} from the oracle (default: {default})", group=group, type=share, default=default,
                 metavar="X")  # fmt: skip
    add_flag(parser, "effect", f"added to the accuracy of every arm except the control (default: {defaults.effect})",
             group=group, type=number, default=defaults.effect, metavar="X")  # fmt: skip
    add_flag(parser, "seed", f"seed of the answers (default: {defaults.seed})", group=group, type=whole,
             default=defaults.seed, metavar="N")  # fmt: skip
    add_flag(parser, "tokenizer", (
        "how tokens are counted: as words, or with the tokenizer of SmolLM2, the embedded model (default: "
        f"{defaults.tokenizer})"
    ), group=group, choices=get_args(Tokenizer),
             default=defaults.tokenizer)  # fmt: skip
    group = parser.add_argument_group("virtual clock")
    add_flag(parser, "clock", "whether the clock advances with each call, or only on command (default: "
                              f"{defaults.clock})", group=group,
             choices=("step", "manual"), default=defaults.clock)  # fmt: skip
    add_flag(parser, "clock_step", f"seconds that each call takes (default: {defaults.clock_step_s:g})", group=group,
             type=_seconds, default=defaults.clock_step_s, metavar="S")  # fmt: skip


def execute(args: argparse.Namespace) -> int:
    """Serve until a signal comes.

    Raises
    ------
    UsageError
        If the oracle has no questions to answer from, or the port is taken.
    MissingDependencyError
        If a package that it needs is not installed.
    """
    if args.responder == "oracle" and args.questions is None:
        raise UsageError("--responder oracle needs --questions DIR")
    if args.tokenizer == "smollm2":
        from promptrial.providers.embedded_weights import check_installed

        check_installed(with_model=True)
    settings = EmulatorSettings(
        port=args.port, key=args.key, account=args.account, quota=args.quota, responder=args.responder,
        questions=args.questions, accuracy=args.accuracy, abstention=args.abstention, effect=args.effect,
        seed=args.seed, tokenizer=args.tokenizer, clock=args.clock, clock_step_s=args.clock_step,
    )  # fmt: skip
    token = StopToken()
    with stop_on_signals(token, lambda _: say_to_stderr("stopping")), EmulatorServer(args.state, settings) as server:
        print_result(f"listening on {server.url}\n")
        while not token.wait(_LOOK_EVERY_S):
            pass
    return 0


def _seconds(text: str) -> float:
    seconds = number(text)
    if seconds < 0:
        raise argparse.ArgumentTypeError(f"expected seconds, not negative, got {text!r}")
    return seconds
