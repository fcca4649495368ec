"""What must hold of a dry run's folder: its state, its jobs and what they cost, its rows, its files. Reads only.

Each function returns what is wrong as sentences, and nothing if all is well. Who stops and resumes the run is not here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from promptrial import registry
from promptrial.documents.files import read_bytes, read_text
from promptrial.model import ids
from promptrial.phases.score_columns import score_columns
from promptrial.providers.request_rows import row_id
from promptrial.registry import DEFAULT_PACK
from promptrial.store import jsonl, records, tables
from promptrial.store.records import Manifest, RunState, TrialManifest
from promptrial.store.rundir import RunDir, TrialDir
from promptrial_emulator.server import EmulatorServer

__all__ = [
    "Spending",
    "differences",
    "row_problems",
    "rows_of",
    "shape_problems",
    "spending",
    "spending_problems",
    "state_problems",
]

_PREDICTIONS: Final = (
    "custom_id", "dataset", "item_id", "condition", "temp", "sample_index", "type", "request_id", "finish_reason",
    "response_text", "prompt_tokens", "completion_tokens", "total_tokens",
)  # fmt: skip
_SCORES: Final = tuple(name for name, _ in score_columns(DEFAULT_PACK))
_COSTS: Final = ("prompt_tokens", "completion_tokens", "total_tokens", "usd")
_OF_A_RUN: Final = (
    "run_state.json", "effective_config.yaml", "run.log", "prepared/open_book.jsonl", "prepared/closed_book.jsonl",
    "prepared/manifest.json", "batch_inputs/manifest.json", "multi_trial_manifest.json", "aggregate_report.md",
)  # fmt: skip
_OF_A_TRIAL: Final = (
    "results/trial_manifest.json", "results/results_combined.jsonl", "results/predictions.csv",
    "results/predictions.parquet", "results/per_item_scores.csv", "results/per_item_scores.parquet",
    "results/significance.json", "results/costs.json", "reports/report.md",
)  # fmt: skip
_WITH_TIMES: Final = frozenset({"run_state.json", "trial_manifest.json"})
_TIME: Final = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_CHECKPOINT: Final = re.compile(rb'"last_checkpoint": (null|\{[^}]*\})')
_PLACE: Final = re.compile(rb'"config_path": "[^"]*"')
_SHOWN: Final = 5


# --- state -------------------------------------------------------------------------------------------------------


def state_problems(run: RunDir, at: str | None = None, status: str = "not_started") -> Iterator[str]:
    """Compare the state with what it has to be after a stop in phase ``at``, or at the end if there was none."""
    state = records.load(run.state_path, RunState)
    if state.stop_requested != (at is not None):
        yield f"stop_requested is {state.stop_requested}"
    if run.sentinel_path.exists():
        yield f"{run.sentinel_path.name} was not removed"
    reached = False
    for name in registry.PHASES:
        reached = reached or name == at
        wanted = status if name == at else "not_started" if reached else "completed"
        if state.phases[name].status != wanted:
            yield f"phase {name} is {state.phases[name].status}, not {wanted}"


# --- jobs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spending:
    """The jobs that the emulator has accepted, the intents that the run wrote down, the parts that it was cut into."""

    jobs: tuple[str, ...]
    intents: tuple[str, ...]
    parts: int


def spending(run: RunDir) -> Spending:
    """Read the emulator's ledger, and the run's own. Side effects: starts an emulator on its folder, and ends it."""
    intents = [
        intent.job or intent.key
        for manifest in _manifests(run)
        for part in manifest.parts.values()
        for intent in part.intents
    ]
    parts = records.load(run.batch_inputs / "manifest.json", Manifest).facts["parts"]
    return Spending(tuple(_accepted(run)), tuple(intents), len(parts))


def spending_problems(spent: Spending, least: int, most: int) -> Iterator[str]:
    """Compare the jobs with the intents, one for one, and their number with what it has to be."""
    for what, names in (("job", spent.jobs), ("intent", spent.intents)):
        yield from (f"{what} {name} occurs {n} times" for name, n in Counter(names).items() if n > 1)
    yield from (f"no intent names job {name}" for name in sorted({*spent.jobs} - {*spent.intents}))
    if not least <= len(spent.jobs) <= most:
        yield f"{len(spent.jobs)} jobs were accepted, not {least if least == most else f'{least} to {most}'}"
    if least == spent.parts and len(spent.intents) != spent.parts:
        yield f"{len(spent.intents)} intents were recorded for {spent.parts} parts"


def _accepted(run: RunDir) -> Iterator[str]:
    import httpx

    folder = run.emulator
    if not folder.exists():  # nothing was asked of it
        return
    with EmulatorServer(folder) as server:
        rows = httpx.get(f"{server.url}/__emu/ledger").raise_for_status().json()["rows"]
    yield from (row["id"] for row in rows if row["operation"] == "create_job")


# --- rows --------------------------------------------------------------------------------------------------------


def row_problems(run: RunDir) -> Iterator[str]:
    """Compare requests with results and predictions: none missing, none twice, none that nobody asked for."""
    for slug in _slugs(run):
        trial = run.trial(slug)
        asked = _ids(sorted((run.batch_inputs / slug).glob("*.jsonl")))
        predicted = Counter(ids.wire_encode(ids.parse_canonical(each)) for each in _predicted(trial))
        yield from _unequal(f"{slug}: requests", asked, Counter(dict.fromkeys(asked, 1)))
        yield from _unequal(f"{slug}: results of the parts", _ids(sorted(trial.results.glob("*/results.jsonl"))), asked)
        yield from _unequal(f"{slug}: results_combined.jsonl", _ids([trial.results / "results_combined.jsonl"]), asked)
        yield from _unequal(f"{slug}: predictions", predicted, asked)


def rows_of(run: RunDir) -> int:
    """Return how many predictions a run has."""
    return sum(1 for slug in _slugs(run) for _ in _predicted(run.trial(slug)))


def _predicted(trial: TrialDir) -> Iterator[str]:
    path = trial.results / "predictions.parquet"
    for batch in tables.read_batches(path, ["custom_id"]) if path.exists() else ():
        yield from batch.column(0).to_pylist()


def _ids(paths: Sequence[Path]) -> Counter[str]:
    return Counter(row_id(line) for path in paths if path.exists() for line in jsonl.lines(path))


def _unequal(what: str, found: Counter[str], wanted: Counter[str]) -> Iterator[str]:
    for word, lot in (("missing", wanted - found), ("too many", found - wanted)):
        if lot:
            names = sorted(lot.elements())
            yield f"{what}: {len(names)} rows {word}: {', '.join(names[:_SHOWN])}{' ...' if names[_SHOWN:] else ''}"


# --- files -------------------------------------------------------------------------------------------------------


def shape_problems(run: RunDir) -> Iterator[str]:
    """Look for the files of a finished run, the columns of its tables and what its documents have to say."""
    yield from (f"{name} is missing" for name in _OF_A_RUN if not (run.root / name).is_file())
    for slug in _slugs(run):
        root = run.trial(slug).root
        missing = [name for name in _OF_A_TRIAL if not (root / name).is_file()]
        yield from (f"{slug}/{name} is missing" for name in missing)
        if not missing:
            yield from (f"{slug}: {problem}" for problem in _content_problems(root / "results"))


def _content_problems(results: Path) -> Iterator[str]:
    for name, wanted in (("predictions", _PREDICTIONS), ("per_item_scores", _SCORES)):
        header = read_text(results / f"{name}.csv").partition("\n")[0].split(",")
        if tuple(header[: len(wanted)]) != wanted:
            yield f"{name}.csv has the columns {', '.join(header)}"
        if next(tables.read_batches(results / f"{name}.parquet")).schema.names != header:
            yield f"{name}.parquet has other columns than {name}.csv"
    costs: dict[str, Any] = json.loads(read_bytes(results / "costs.json"))
    for where, entry in {"": costs, **costs.get("conditions", {})}.items():
        yield from (f"costs.json {where}: no {key}" for key in _COSTS if key not in entry)
    if not json.loads(read_bytes(results / "significance.json")):
        yield "significance.json is empty"


def differences(run: RunDir, reference: RunDir) -> Iterator[str]:
    """Compare every file with that of an uninterrupted run of the same name, byte by byte.

    Left out are the log, the lock and the emulator's own files; of the two records that hold times, the times and what
    was worked on last.
    """
    found, wanted = _portrait(run), _portrait(reference)
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            yield f"{name} {'is missing' if name not in found else 'is left over' if name not in wanted else 'differs'}"


def _portrait(run: RunDir) -> dict[str, str]:
    return {
        path.relative_to(run.root).as_posix(): hashlib.sha256(_timeless(path)).hexdigest()
        for path in run.root.rglob("*")
        if path.is_file() and path not in (run.log_path, run.lock_path) and run.emulator not in path.parents
    }


def _timeless(path: Path) -> bytes:
    """Return a file without what may differ: times, the last checkpoint, and where the configuration is."""
    data = read_bytes(path)
    return _PLACE.sub(b"", _CHECKPOINT.sub(b"", _TIME.sub(b"T", data))) if path.name in _WITH_TIMES else data


def _manifests(run: RunDir) -> Iterable[TrialManifest]:
    found = (run.trial(slug).load_manifest() for slug in _slugs(run))
    return [manifest for manifest in found if manifest is not None]


def _slugs(run: RunDir) -> list[str]:
    return sorted(path.parent.parent.name for path in run.root.glob("*/results/trial_manifest.json"))
