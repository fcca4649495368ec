"""Damaged files: records that do not load, lines that are torn, artifacts that are not what their receipts say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from promptrial.care.doctor.document import Finding, Kind
from promptrial.care.doctor.sight import Sight, file_problem
from promptrial.config.effective import config_hash
from promptrial.config.yaml_text import YamlError, load_file
from promptrial.documents.files import open_regular
from promptrial.engine import kept_labels, kept_prices
from promptrial.engine.facts import phases
from promptrial.engine.origin import recorded_file
from promptrial.errors import CorruptRecordError
from promptrial.providers.request_rows import row_id
from promptrial.store import jsonl, records
from promptrial.store.part_records import FileRecord
from promptrial.store.records import Manifest, Origin, RunState, TrialManifest
from promptrial.store.rundir import TrialDir

__all__ = ["damaged_artifacts", "damaged_records", "torn_files"]


def damaged_records(sight: Sight) -> Iterator[Finding]:
    """Yield a finding for each record that is damaged, or lost although what wrote it is done."""
    run = sight.run
    yield from _record(sight, run.state_path, RunState, needed=True)
    yield from _configuration(sight)
    yield from _prices(sight)
    yield from _labels(sight)
    for phase in phases():
        if phase.manifest:
            yield from _record(sight, run.root / phase.manifest, Manifest, needed=sight.completed(phase.name))
    if sight.built is None and (run.batch_inputs / "manifest.json").is_file():
        yield from _without_facts(sight)
    for slug in sight.trials:
        folder = run.trial(slug)
        yield from _record(sight, folder.manifest_path, TrialManifest, needed=True)
        yield from _journal(sight, folder)


def _record(
    sight: Sight, path: Path, kind: type[RunState | Manifest | TrialManifest], *, needed: bool
) -> Iterator[Finding]:
    try:
        records.load(path, kind)
    except FileNotFoundError:
        if needed:
            yield _finding(sight, path, "missing; it is rebuilt from the other files")
    except CorruptRecordError:
        meaning = "damaged, or not a known kind of record; it is renamed, and rebuilt from the other files"
        yield _finding(sight, path, meaning)
    except OSError as error:
        yield _unreadable(sight, path, error)


def _configuration(sight: Sight) -> Iterator[Finding]:
    path = sight.run.config_path
    try:
        tree = load_file(path)
    except FileNotFoundError:
        yield _without_copy(sight, path, "the configuration that the run was started with is missing")
        return
    except OSError as error:
        yield _unreadable(sight, path, error)
        return
    except YamlError:
        tree = None
    known = None if sight.state is None else sight.state.config_hash
    if not isinstance(tree, dict) or (known is not None and config_hash(tree) != known):
        meaning = "damaged, or edited by hand: it is not the configuration whose hash is recorded"
        yield _without_copy(sight, path, meaning)


def _without_copy(sight: Sight, path: Path, meaning: str) -> Finding:
    """Return a finding on the run's own copy; a person has to name the file that it is a copy of, if that is gone."""
    found, state = _finding(sight, path, meaning), sight.state
    if state is None or state.migrated is True:
        return found
    original = recorded_file(sight.run, state, Origin.of(state))
    is_there = original is not None and original.exists()
    return found if is_there else replace(found, command=sight.run.name_config_command)


def _prices(sight: Sight) -> Iterator[Finding]:
    """Yield what is wrong with the prices that the run uses, if it has kept any."""
    path = sight.run.prices_path
    if not path.exists() and (sight.state is None or sight.state.prices_kept is not True):
        return
    try:
        kept_prices.load(sight.run)
    except CorruptRecordError as error:
        meaning = f"{error.message.removeprefix(f'{path}: ')}; restore it, or use today's prices with this command"
        yield replace(_finding(sight, path, meaning), command=f"{sight.run.rebuild_command} --force")
    except OSError as error:
        yield _unreadable(sight, path, error)


def _labels(sight: Sight) -> Iterator[Finding]:
    """Yield what is wrong with the labels that are kept with the run, if there are any."""
    path = sight.run.labels_path
    try:
        kept_labels.load(sight.run)
    except CorruptRecordError as error:
        meaning = f"{error.message.removeprefix(f'{path}: ')}; restore it, or remove it and resume with the sheets"
        yield _finding(sight, path, meaning)
    except OSError as error:
        yield _unreadable(sight, path, error)


def _without_facts(sight: Sight) -> Iterator[Finding]:
    path = sight.run.batch_inputs / "manifest.json"
    try:
        records.load(path, Manifest)
    except (OSError, CorruptRecordError):
        return
    meaning = "it does not say how the requests are split into parts; it is renamed, and built again"
    yield _put_aside(sight, path, meaning)


def _journal(sight: Sight, folder: TrialDir) -> Iterator[Finding]:
    path = folder.journal.path
    try:
        folder.journal.read()
    except CorruptRecordError as error:
        meaning = f"line {_line_of(error)} is damaged; the other lines still count, and the file is renamed"
        yield _finding(sight, path, meaning)
    except OSError as error:
        yield _unreadable(sight, path, error)


def _line_of(error: CorruptRecordError) -> str:
    return error.message.partition(": damaged")[0].rpartition(":")[2]


# --- torn -----------------------------------------------------------------------------------------------------------


def torn_files(sight: Sight) -> Iterator[Finding]:
    """Yield a finding for each file of appended lines whose last line is torn, or whose rows are damaged.

    A process at work may be in the middle of a line.
    """
    if sight.working:
        return
    folders = [sight.run.trial(slug) for slug in sight.trials]
    for path in (sight.run.log_path, *(folder.journal.path for folder in folders)):
        if _is_torn(path):
            meaning = "the last line is incomplete because a process was killed; it is removed"
            yield _finding(sight, path, meaning, "torn")
    for folder in folders:
        for path in sorted(folder.results.glob("*/results.partial.jsonl")):
            if _is_torn(path):
                meaning = (
                    "the last row is incomplete because a process was killed; it is removed, and its request is "
                    "asked again"
                )
                yield _finding(sight, path, meaning, "torn")
            elif not _has_rows_alone(path):
                yield _finding(sight, path, "a row is damaged; the file is renamed, and its requests are asked again")


def _is_torn(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 1))
            return file.read(1) not in {b"", b"\n"}
    except OSError:
        return False


def _has_rows_alone(path: Path) -> bool:
    try:
        return all(row_id(line) for line in jsonl.lines(path))
    except (OSError, ValueError, RecursionError):
        return False


# --- artifacts ------------------------------------------------------------------------------------------------------


def damaged_artifacts(sight: Sight) -> Iterator[Finding]:
    """Yield a finding for each artifact that is lost, or not what its receipt says; answers are not judged here.

    What a process at work has in hand has no receipt yet.
    """
    if sight.working:
        return
    for phase, relative, expected in _receipts(sight):
        if problem := file_problem(sight.run, relative, expected):
            what = "it does not match its receipt" if problem.endswith("damaged") else "its receipt has something else"
            meaning = f"{problem}: {what}; {phase} builds it again, with everything that depends on it"
            yield _finding(sight, sight.run.root / relative, meaning, "artifact")


def _receipts(sight: Sight) -> Iterator[tuple[str, str, FileRecord]]:
    """Yield phase, path and record of every artifact of the run, except for the answers of the parts."""
    for phase in phases():
        if phase.manifest:
            try:
                manifest = records.load(sight.run.root / phase.manifest, Manifest)
            except (OSError, CorruptRecordError):
                continue
            yield from ((phase.name, path, file) for path, file in manifest.receipt.artifacts.items())
    names = {phase.stage: phase.name for phase in phases() if phase.stage and not phase.content_addressed}
    for slug in sight.trials:
        stages = sight.manifests[slug].stage_status if slug in sight.manifests else {}
        for stage, known in stages.items():
            if stage in names and known.status == "completed":
                yield from ((names[stage], path, file) for path, file in known.artifacts.items())


def _unreadable(sight: Sight, path: Path, error: OSError) -> Finding:
    """Return a finding for a record that the system refuses to read; what is in its place has to be put aside."""
    return _put_aside(sight, path, f"cannot be read: {error.strerror}")


def _put_aside(sight: Sight, path: Path, meaning: str) -> Finding:
    command = sight.put_aside_first(path)
    return Finding(kind="record", severity="error", file=sight.run.relative(path), meaning=meaning, command=command)


def _finding(sight: Sight, path: Path, meaning: str, kind: Kind = "record") -> Finding:
    return Finding(
        kind=kind,
        severity="warning" if kind == "torn" else "error",
        file=sight.run.relative(path),
        meaning=meaning,
        command=sight.repair,
    )
