"""The soak, a program: interrupt many real runs at random times, resume each, and compare it with an undisturbed one.

``make soak N=200 SEED=1``. The seed and a round's number decide what is drawn for it, so that ``--round K`` plays the
same round again; when exactly an interruption lands is up to the machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.soak.experiment import Experiment, SoakError
from tests.soak.interruptions import KINDS, kinds
from tests.soak.rounds import Outcome, play
from tests.support.interruptible import take_interrupts

_SAY_EVERY = 10


def main() -> int:
    """Play the rounds and print the table; 1 if anything is wrong."""
    take_interrupts()
    args, began = _parser().parse_args(), time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="promptrial-soak-"))
    try:
        outcomes = _play_all(args, root, _known())
    except SoakError as error:
        print(f"error: {error}\nthe folders are in {root}", file=sys.stderr)
        return 1
    print(_table(outcomes, time.monotonic() - began))
    bad = [outcome for outcome in outcomes if outcome.failed]
    for outcome in bad:
        print(f"play it again: make soak SEED={args.seed} ROUND={outcome.number}")
    if bad:
        print(f"their folders are in {root}")
    else:
        shutil.rmtree(root)
    return 1 if bad else 0


def _known() -> list[str]:
    known = kinds()
    print(f"interruptions: {', '.join(known)}", flush=True)
    if left_out := [kind for kind in KINDS if kind not in known]:
        print(f"left out, for the program does not know it yet: {', '.join(left_out)}", flush=True)
    return known


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200, help="how many rounds (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="decides every round (default: %(default)s)")
    parser.add_argument("--round", type=int, metavar="K", help="play this round alone")
    parser.add_argument("--jobs", type=int, default=2, help="rounds side by side (default: %(default)s)")
    return parser


def _play_all(args: argparse.Namespace, root: Path, known: Sequence[str]) -> list[Outcome]:
    """Play the rounds, side by side, and say how it goes; folders of good rounds are removed."""
    experiment = Experiment(root)
    whole = experiment.undisturbed(root, args.jobs)
    print(f"an undisturbed run takes {whole.seconds:.1f} s and makes {len(whole.portrait)} files", flush=True)
    numbers = range(1, args.rounds + 1) if args.round is None else [args.round]
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(args.jobs) as pool:
        started = [
            pool.submit(play, experiment, whole, root / f"round-{number}", args.seed, number, known)
            for number in numbers
        ]
        try:
            for done in as_completed(started):
                outcomes.append(done.result())
                _say(outcomes, root)
        finally:
            pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C no new round starts
    return sorted(outcomes, key=lambda outcome: outcome.number)


def _say(outcomes: Sequence[Outcome], root: Path) -> None:
    last = outcomes[-1]
    if last.failed:
        lines = [*last.script, *last.failures, *(f"{name} differs" for name in last.differences)]
        print(f"round {last.number} FAILED\n  " + "\n  ".join(lines), flush=True)
    else:
        shutil.rmtree(root / f"round-{last.number}")
    if len(outcomes) % _SAY_EVERY == 0:
        struck, bad = sum(sum(o.codes.values()) for o in outcomes), sum(o.failed for o in outcomes)
        print(f"{len(outcomes)} rounds, {struck} interruptions, {bad} rounds failed", flush=True)


def _table(outcomes: Sequence[Outcome], seconds: float) -> str:
    codes: Counter[tuple[str, int]] = sum((o.codes for o in outcomes), Counter())
    missed: Counter[str] = sum((o.missed for o in outcomes), Counter())
    seen = sorted({code for _, code in codes})
    head = f"{'interrupted by':<16}{'times':>7}{'too late':>10}" + "".join(f"{f'exit {code}':>10}" for code in seen)
    rows = [
        f"{kind:<16}{sum(codes[kind, code] for code in seen):>7}{missed[kind]:>10}"
        + "".join(f"{codes[kind, code] or '':>10}" for code in seen)
        for kind in sorted({kind for kind, _ in codes} | missed.keys())
    ]
    return "\n".join(["", head, *rows, "", *_totals(outcomes, codes, seconds)])


def _totals(outcomes: Sequence[Outcome], codes: Counter[tuple[str, int]], seconds: float) -> Iterable[str]:
    figures = {
        "rounds": len(outcomes),
        "interruptions": sum(codes.values()),
        "resumes": sum(o.resumes for o in outcomes),
        "rows kept": sum(o.rows_kept for o in outcomes),
        "requests lost while starting": sum(o.requests_lost for o in outcomes),
        "slowest soft stop, s": f"{max((o.slowest_stop_s for o in outcomes), default=0):.1f}",
        "files that differ": sum(len(o.differences) for o in outcomes),
        "failures": sum(len(o.failures) for o in outcomes),
        "seconds": f"{seconds:.0f}",
    }
    return [f"{name:<36}{value:>8}" for name, value in figures.items()]


if __name__ == "__main__":
    sys.exit(main())
