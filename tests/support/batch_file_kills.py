"""Kills a run by files of requests at each durable operation that concerns them; run as a program in an empty folder.

Prints as JSON how many kills there were, and what was wrong after them: a resume must end with the same files of
requests, each once and whole, and with the commands for them; after the answers, with the same tables.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from promptrial_emulator.responders.echo import EchoResponder
from promptrial_emulator.run_batch import run_batch
from promptrial_emulator.settings import EmulatorSettings
from tests.support import crash_points
from tests.support.crash_lab import in_fork
from tests.support.crash_points import Point
from tests.support.project import Outcome, Project

_FILES: Final = Path("experiments/run_r/batch_files")
_FINISHED_EACH: Final = 12
"""One of this many kills is followed to the tables."""
_OTHERS_EACH: Final = 20
"""The run is killed at one of this many operations that concern other files."""


def _run(*flags: str) -> Outcome:
    return Project(Path()).run("--to_step", "parse", *flags)


def _resume() -> Outcome:
    return _run(*(["--resume"] if Path("experiments/run_r/run_state.json").exists() else []))


def _requests(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / _FILES).glob("*.jsonl")}


def _answer(root: Path) -> None:
    responder = EchoResponder(EmulatorSettings())
    for path in (root / _FILES).glob("*.requests.jsonl"):
        rows = run_batch(path.read_bytes().splitlines(), lambda model, row: next(iter(responder.replies(model, [row]))))
        path.with_name(path.name.replace(".requests.", ".results.")).write_bytes(b"".join(row + b"\n" for row in rows))


def _table(root: Path) -> bytes:
    return next(root.glob("experiments/run_r/*/results/predictions.csv")).read_bytes()


def _listed(root: Path) -> list[Point]:
    def work() -> Outcome:
        points: list[Point] = []
        crash_points.list_points(points)
        outcome = _run()
        Path("points").write_bytes(pickle.dumps(points))
        return outcome

    in_fork(root, work)
    found: list[Point] = pickle.loads((root / "points").read_bytes())  # noqa: S301 - our own
    return found


def _killed(root: Path, number: int) -> None:
    def work() -> Outcome:
        crash_points.kill_at(number)
        return _run()

    if in_fork(root, work).code != -signal.SIGKILL:
        raise RuntimeError(f"the run was not killed at {number}")


def _problems(root: Path, whole: Path, *, finish: bool) -> Iterator[str]:
    ended = in_fork(root, _resume)
    if ended.code != 5:
        yield f"the resume ended with {ended.code}: {ended.said[-300:]}"
    if _requests(root) != _requests(whole):
        yield "the files of requests differ"
    if len(list((root / _FILES).glob("*.job.json"))) != len(_requests(whole)):
        yield "there is not one record for each file"
    if any(ended.said.count(name) != 1 for name in _requests(whole)):
        yield "the commands do not name each file once"
    if list((root / _FILES).glob(".*")):
        yield "a temporary file is left"
    if finish:
        _answer(root)
        ended = in_fork(root, _resume)
        if ended.code != 0 or _table(root) != _table(whole):
            yield f"the tables differ, or the last resume ended with {ended.code}: {ended.said[-300:]}"


def main(root: Path) -> None:
    """Kill, resume and compare."""
    start = root / "start"
    start.mkdir()
    os.chdir(start)
    project = Project.make(start)
    project.write_config(
        {
            "provider": "files",
            "providers": {"files": {"type": "batch_file"}},
            "pricing": {},
            "parts_per_dataset": 1,
            "limit_items": 1,
            "execution": {"poll_interval_s": 0.01, "settle_s": 0.05},
        }
    )

    def folder(name: str) -> Path:
        made = root / name
        made.mkdir()
        (made / "config").symlink_to(start / "config")
        return made

    os.chdir(folder("warm"))
    _run()  # imports everything, so that each fork starts quickly
    whole = folder("whole")
    points = _listed(whole)
    asked = _requests(whole)
    first = next(number for number, point in enumerate(points) if "batch_files" in point.path)
    problems: list[str] = []
    chosen = [n for n in range(first, len(points)) if "batch_files" in points[n].path or n % _OTHERS_EACH == 0]
    for count, number in enumerate(chosen):
        killed = folder(str(number))
        _killed(killed, number)
        finish = count % _FINISHED_EACH == 0
        if finish and not (whole / "answered").exists():
            _finish_whole(whole)
        found = [f"{points[number]}: {text}" for text in _problems(killed, _bare(whole, asked), finish=finish)]
        problems += found
        shutil.rmtree(killed)
    sys.stdout.write(json.dumps({"kills": len(chosen), "problems": problems}))


def _finish_whole(whole: Path) -> None:
    _answer(whole)
    ended = in_fork(whole, _resume)
    if ended.code != 0:
        raise RuntimeError(ended.said)
    (whole / "answered").touch()


def _bare(whole: Path, asked: dict[str, bytes]) -> Path:
    """Return the undisturbed run, whose files of answers are not compared."""
    for path in (whole / _FILES).glob("*.jsonl"):
        if path.name not in asked:
            path.rename(path.with_suffix(".kept"))
    return whole


if __name__ == "__main__":
    main(Path(sys.argv[1]))
