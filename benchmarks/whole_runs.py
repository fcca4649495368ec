"""Whole runs on the emulator: whether the best prompt is found, and whether looks stop a trial as they should.

Each run goes from questions to statistics through HTTP, batch jobs and files, as a run that is paid for does; only the
seed of the answers differs. Two experiments: four treatments against one control on 300 questions; and 1,000 questions
in ten waves under each stopping rule, with a difference of 10 points (20% of the pairs gain, 10% lose) and without one.
For the second one the emulator's ledger has to show that nothing was bought beyond the last wave asked. Prints a table,
and the figures of each run as JSON with ``--json``; the exit code is 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import yaml

from promptrial.cli.main import main as promptrial
from promptrial.documents import significance
from promptrial.store.look_records import read_looks
from promptrial.store.rundir import RunDir
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings

ARMS: Final = (("terse", 0.25), ("cot", 0.2), ("plain", 0.0), ("wordy", -0.1))
"""The treatments of the first experiment, and by how much each is better than the control."""
BEST, BEST_EFFECT = ARMS[0]
RULES: Final = ("evalue", "obrien_fleming", "pocock")
EFFECT: Final = 0.1
ACCURACY: Final = {"arms": 0.5, "looks": 0.64}
"""At the second one, two arms that share half of the variance differ as the text above says."""
ITEMS: Final = {"arms": 300, "looks": 1_000}
LOOKS: Final = 10
PARTS: Final = {"arms": (("",), BEST_EFFECT), "looks": (RULES, EFFECT), "no_difference": (RULES, 0.0)}
"""By part of the experiments, its rules and its effect."""
MODEL: Final = "accounts/fireworks/models/small"
_QUICK: Final = dict.fromkeys(("poll_interval_s", "longest_poll_interval_s", "settle_s", "first_retry_s"), 0.01)


class Task(NamedTuple):
    """One run: the rule (none for many arms), the effect (of the best arm), and the seed of its answers."""

    rule: str
    effect: float
    seed: int


class Ended(NamedTuple):
    """How a run ended. ``sign`` is that of the difference, 0 where none was shown; ``items`` were asked of each arm."""

    task: Task
    best: tuple[str, ...]
    stopped: bool
    sign: int
    covered: bool
    items: int
    rows_bought: int


def run(task: Task) -> Ended:
    """Carry out one run in a folder of its own.

    Raises
    ------
    RuntimeError
        If the program ends with an error.
    """
    kind = "looks" if task.rule else "arms"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, task, kind)
        place = RunDir(folder / "experiments", "r")
        settings = EmulatorSettings(
            responder="oracle",
            questions=place.prepared,
            accuracy=ACCURACY[kind],
            abstention=0.02,
            effects=(("better", task.effect),) if task.rule else ARMS,
            seed=task.seed,
        )
        with EmulatorServer(folder / "emulator", settings) as server:
            os.environ |= {"FIREWORKS_API_BASE": server.url, "FIREWORKS_API_KEY": settings.key,
                           "FIREWORKS_ACCOUNT_ID": settings.account, "PROMPTRIAL_YES": "1"}  # fmt: skip
            _promptrial(["run", "--config", str(folder / "c.yaml"), "--run_id", "r", "--to_step", "stats",
                         "--experiments_dir", str(place.root.parent), "--display", "none"])  # fmt: skip
            ledger = httpx.get(f"{server.url}/__emu/ledger").json()["rows"]
        [results] = place.root.glob("*/results")
        bought = sum(entry["facts"]["rows"] for entry in ledger if entry["operation"] == "create_job")
        return _ended(task, results, bought)


def _promptrial(words: Sequence[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = promptrial(list(words))
    if code != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {code}: {err.getvalue()}")


def _write(folder: Path, task: Task, kind: str) -> None:
    rows = [{"id": f"q{at}", "question": f"Question {at}?", "answers": [f"answer {at}"]} for at in range(ITEMS[kind])]
    (folder / "questions.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    treatments = ["better"] if task.rule else [name for name, _ in ARMS]
    stopping = {"stopping": {"rule": task.rule, "looks": LOOKS, "endpoint": "em"}} if task.rule else {}
    config = {
        "name": "whole",
        "provider": "fireworks",
        "models": {"m1": {"id": MODEL}},
        "prompt_sets": {
            "main": {
                "control": {"text": "Answer."},
                "treatments": {each: {"text": f"Answer, {each}."} for each in treatments},
            }
        },
        "datasets": {"many": {"format": "custom", "path": "questions.jsonl"}},
        "execution": _QUICK,
        **stopping,
    }
    (folder / "c.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def _ended(task: Task, results: Path, bought: int) -> Ended:
    document = significance.decode((results / "significance.json").read_bytes())
    if not task.rule:
        assert isinstance(document.rankings, tuple)  # noqa: S101 - there are several arms
        [ranking] = document.rankings
        return Ended(task, tuple(ranking.best), stopped=False, sign=0, covered=True, items=ITEMS["arms"],
                     rows_bought=bought)  # fmt: skip
    [row] = [each for each in document.endpoints if (each.metric, each.scope) == ("em", "overall")]
    assert row.ci_low is not None and row.ci_high is not None and row.difference is not None  # noqa: PT018, S101 - for the type checker
    looks = read_looks(results)
    return Ended(
        task,
        (),
        stopped=looks[-1].decision == "stop",
        sign=int(math.copysign(1, row.difference)) if row.significant else 0,
        covered=row.ci_low <= task.effect <= row.ci_high,
        items=looks[-1].items,
        rows_bought=bought,
    )


def shown(found: Sequence[Ended]) -> tuple[list[str], list[str]]:
    """Return the lines of the table, and the targets that are missed."""
    lines, missed = ["| runs | what | figure | target |", "|---|---|---|---|"], []

    def line(n: int, what: str, figure: str, target: str, *, met: bool) -> None:
        lines.append(f"| {n} | {what} | {figure} | {target} {'✓' if met else '✗'} |")
        if not met:
            missed.append(f"{what}: {figure}, target {target}")

    arms = [each for each in found if not each.task.rule]
    if arms:
        kept, size = sum(BEST in each.best for each in arms), sum(len(each.best) for each in arms) / len(arms)
        line(len(arms), "the best arm is among those that may be best", f"{kept}", "at least 92%",
             met=kept >= 0.92 * len(arms))  # fmt: skip
        line(len(arms), "arms that may be best, on average", f"{size:.2f}", "at most 2", met=size <= 2)
    for rule in RULES:
        with_effect = [each for each in found if each.task.rule == rule and each.task.effect]
        without = [each for each in found if each.task.rule == rule and not each.task.effect]
        for runs in filter(None, (with_effect, without)):
            exact = sum(each.rows_bought == 2 * each.items for each in runs)
            line(len(runs), f"{rule}: the ledger shows what was asked and no more", f"{exact}", "all",
                 met=exact == len(runs))  # fmt: skip
        if with_effect:
            n = len(with_effect)
            early = sum(each.stopped and each.sign == 1 for each in with_effect)
            covered = sum(each.covered for each in with_effect)
            saved = sum(1 - each.items / ITEMS["looks"] for each in with_effect) / n
            line(n, f"{rule}, 10 points: stops early with the right sign", f"{early}", "at least 90%",
                 met=early >= 0.9 * n)  # fmt: skip
            line(n, f"{rule}, 10 points: the interval holds the difference", f"{covered}",
                 "at least 95% less two standard errors", met=covered >= _least(0.95, n))  # fmt: skip
            lines.append(f"| {n} | {rule}, 10 points: questions saved | {saved:.0%} | |")
        if without:
            false = sum(each.sign != 0 for each in without)
            line(len(without), f"{rule}, no difference: one is shown", f"{false}", "at most 9%",
                 met=false <= 0.09 * len(without))  # fmt: skip
    return lines, missed


def _least(share: float, n: int) -> float:
    return n * share - 2 * math.sqrt(n * share * (1 - share))


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the runs, print the table, and return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="runs of each kind (200)")
    parser.add_argument("--first", type=int, default=0, help="seed of the first run (0): to go on where one was ended")
    parser.add_argument("--part", choices=PARTS, action="append", help="one part of the two experiments")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--json", type=Path, help="where to write the figures of each run")
    options = parser.parse_args(arguments)
    tasks = [
        Task(rule, effect, seed)
        for part in options.part or PARTS
        for rules, effect in [PARTS[part]]
        for seed in range(options.first, options.first + options.runs)
        for rule in rules
    ]
    found = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for number, each in enumerate(pool.map(run, tasks), 1):
            found.append(each)
            if options.json and number % 20 == 0:
                _save(options.json, found)
    if options.json:
        _save(options.json, found)
    lines, missed = shown(found)
    print("\n".join(lines))
    for target in missed:
        print(f"misses its target: {target}", file=sys.stderr)
    return int(bool(missed))


def _save(path: Path, found: Sequence[Ended]) -> None:
    rows = [{**each._asdict(), "task": each.task._asdict()} for each in found]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
