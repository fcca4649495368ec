"""The run's records as typed values: run state, trial manifest, receipts. Encoding, checking and reading back.

Every record carries a ``schema_version``. Keys that a reader does not know are kept when the record is saved; a record
of a newer version is refused (``NewerVersionError``) and left as it is; a damaged file is called damaged
(``CorruptRecordError``). Nothing is ever read as an empty default.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec

from promptrial import registry
from promptrial.config.environment import place_flag
from promptrial.documents import schemas
from promptrial.documents.files import name_problem, path_problem, read_bytes
from promptrial.errors import CorruptRecordError, IllegalTransitionError
from promptrial.registry import PartState
from promptrial.store import atomic

__all__ = [
    "IN_DOUBT",
    "ArmRecord",
    "Checkpoint",
    "FileRecord",
    "Growth",
    "Intent",
    "Manifest",
    "Origin",
    "PartRecord",
    "PartStatus",
    "PhaseState",
    "PhaseStatus",
    "Receipt",
    "RunState",
    "SampleSize",
    "StageRecord",
    "TrialManifest",
    "encoded",
    "json_schema",
    "listed",
    "load",
    "new_state",
    "save",
    "transition",
]

PhaseStatus = Literal["not_started", "in_progress", "completed", "failed", "stopped"]
PartStatus = Literal[
    "pending",
    "submitting",
    "submitted",
    "running",
    "completed",
    "downloaded",
    "failed",
    "expired",
    "cancelled",
    "unknown",
]
IN_DOUBT: Final[frozenset[PartStatus]] = frozenset({"submitting", "unknown"})
"""With these it is not known whether there is a job."""
_Record = TypeVar("_Record", bound=msgspec.Struct)
_Value = TypeVar("_Value")


class FileRecord(msgspec.Struct, frozen=True):
    """What a file was when it was committed: SHA-256 (hex), size in bytes, and rows where it has rows."""

    sha256: str
    size: int
    rows: int | None = None


class Receipt(msgspec.Struct, frozen=True):
    """What a phase made and what it made it from.

    ``artifacts`` maps paths relative to the run root to file records. ``inputs`` maps names (``plan``, or a phase
    that was read) to digests, and names of code to versions, where these are not the first.
    """

    artifacts: dict[str, FileRecord]
    inputs: dict[str, str]


class Manifest(msgspec.Struct, kw_only=True, dict=True):
    """``manifest.json`` of a folder that belongs to the whole run: the receipt, and facts for people."""

    schema_version: Literal[1] = 1
    receipt: Receipt
    facts: dict[str, Any] = {}


class StageRecord(msgspec.Struct, frozen=True):
    """A phase's status within one trial, with its receipt."""

    status: PhaseStatus
    updated_at: str
    artifacts: dict[str, FileRecord] = {}
    inputs: dict[str, str] = {}

    @property
    def receipt(self) -> Receipt:
        """The receipt on its own."""
        return Receipt(self.artifacts, self.inputs)


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to have requests answered by a job that may cost money: what was meant, and what became of it.

    ``key`` is what we sent with the job, so that it can be found by it; ``job`` is what the vendor calls it, and stands
    here once that is known. ``asked_at`` is when it was first asked for, in seconds since 1970, where the vendor's
    jobs are searched by that; ``refused`` whether its last call was, where a job can only be guessed.
    ``estimated_usd`` is the estimated cost when the attempt was decided on, None without a price. ``results`` is the
    file of its answers as they came, ``engine`` who was asked.
    """

    key: str
    attempt: int
    status: PartStatus
    request_sha256: str | None = None
    rows: int | None = None
    estimated_usd: float | None = None
    dataset: str | None = None
    job: str | None = None
    results: FileRecord | None = None
    reason: str | None = None
    engine: dict[str, Any] | None = None
    asked_at: float | msgspec.UnsetType = msgspec.UNSET
    refused: bool | msgspec.UnsetType = msgspec.UNSET


class PartRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one part: where it stands, what was sent and what came back.

    ``intents`` is its ledger of spending, oldest first; a part that is answered by this process has none. ``lost`` is
    true while answers that were paid for cannot be had, so that only ``--rebuy`` settles it.
    """

    status: PartStatus = "pending"
    resume_key: str
    attempt: int = 1
    request_sha256: str | None = None
    dataset: str | None = None
    job: str | None = None
    results: FileRecord | None = None
    reason: str | None = None
    intents: tuple[Intent, ...] = ()
    lost: bool | msgspec.UnsetType = msgspec.UNSET

    def reached(self, state: PartState) -> bool:
        """Whether it is submitted (a job is named, and its creation not in doubt), or downloaded."""
        if state == "downloaded":
            return self.status == "downloaded"
        return self.job is not None and self.status != "submitting"


def listed(values: list[_Value] | msgspec.UnsetType) -> list[_Value]:
    """Return a list that a record may lack; empty where it does."""
    return [] if isinstance(values, msgspec.UnsetType) else values


class SampleSize(msgspec.Struct, frozen=True, omit_defaults=True):
    """How large a sample may be: ``limit_items``, and the ``size`` of each data set in order; None is all there are."""

    limit_items: int | None = None
    sizes: dict[str, int | None] = {}


class Growth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One growth of a run, recorded before its first new item is drawn.

    ``config_hash`` is the digest of the configuration before it; ``parts_per_dataset`` and ``lines_per_part`` are how
    the requests before it were cut into parts. ``statistics`` says whether statistics of the smaller sample existed.
    """

    config_hash: str
    before: SampleSize
    after: SampleSize
    parts_per_dataset: int | None = None
    lines_per_part: int | None = None
    statistics: bool = False


class CorrectedSource(msgspec.Struct, frozen=True, kw_only=True):
    """A question file that was corrected: its digest from then on, and how many questions of the sample differ."""

    sha256: str
    questions: int


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """Question files, by data set, that were corrected in what is not sent; recorded before *prepare* reads them."""

    at: str
    sources: dict[str, CorrectedSource]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was started with, as its state says it; every trial keeps a copy, for a state may be lost."""

    config_hash: str
    config_file: str | None = None
    overrides: dict[str, Any] = {}
    dry_run: bool = False
    resolved_hash: str | None = None
    drift: list[dict[str, Any]] = []
    growth: list[Growth] | msgspec.UnsetType = msgspec.UNSET
    decided: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    corrections: list[Correction] | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, state: RunState) -> Origin:
        """Return what a state says."""
        said = {name: getattr(state, name) for name in cls.__struct_fields__}
        return cls(**{name: value for name, value in said.items() if value is not msgspec.UNSET})


class ArmRecord(msgspec.Struct, kw_only=True):
    """An arm that has a model of its own: which one, whether it is hosted, and the engine that was asked."""

    model_id: str
    model_alias: str
    provider: str
    hosted: bool
    engine: dict[str, Any] = {}
    adapter: str | msgspec.UnsetType = msgspec.UNSET


class TrialManifest(msgspec.Struct, kw_only=True, dict=True):
    """``trial_manifest.json``. ``datasets``, ``jobs`` and ``job_status`` are views of ``parts``, made when saving.

    ``arms`` has those arms that another model than the trial's answers.
    """

    schema_version: Literal[2] = 2
    run_id: str
    trial: dict[str, Any]
    prompts: dict[str, dict[str, Any]]
    temps: list[float]
    samples_per_item: dict[str, int]
    engine: dict[str, Any] = {}
    hosted: bool = False
    """Whether the answers are computed elsewhere, in jobs that run on without this process."""
    timestamps: dict[str, str] = {}
    datasets: dict[str, list[str | None]] = {}
    jobs: dict[str, list[str | None]] = {}
    job_status: dict[str, PartStatus] = {}
    stage_status: dict[str, StageRecord] = {}
    parts: dict[str, PartRecord] = {}
    origin: Origin | msgspec.UnsetType = msgspec.UNSET
    arms: dict[str, ArmRecord] | msgspec.UnsetType = msgspec.UNSET
    older: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """What stood in the manifest of an older tool and has no place here."""

    def own(self, arm: str) -> ArmRecord | None:
        """Return the record of an arm that has a model of its own."""
        return None if isinstance(self.arms, msgspec.UnsetType) else self.arms.get(arm)

    def provider_of(self, arm: str) -> str:
        """Return who answers an arm."""
        own = self.own(arm)
        return str(self.trial.get("provider")) if own is None else own.provider

    def adapter_of(self, arm: str) -> str:
        """Return the adapter of who answers an arm, where it is not of the same name."""
        own = self.own(arm)
        adapter = self.trial.get("adapter") if own is None else own.adapter
        return str(adapter) if adapter else self.provider_of(arm)

    def is_hosted(self, arm: str) -> bool:
        """Return whether the answers of an arm are computed elsewhere."""
        own = self.own(arm)
        return self.hosted if own is None else own.hosted

    def engine_of(self, arm: str) -> dict[str, Any]:
        """Return the engine that was asked for an arm; empty before it was."""
        own = self.own(arm)
        return self.engine if own is None else own.engine


class PhaseState(msgspec.Struct):
    """One phase in ``run_state.json``; times in UTC."""

    status: PhaseStatus = "not_started"
    started_at: str | None = None
    updated_at: str | None = None
    last_error: str | None = None


class Checkpoint(msgspec.Struct, frozen=True):
    """The last piece of work that was finished."""

    phase: str
    trial_slug: str | None
    resume_key: str | None
    timestamp: str


class RunState(msgspec.Struct, kw_only=True, dict=True):
    """``run_state.json``.

    A ``dry_run`` has met an emulator instead of hosted providers. ``overrides`` are the flags that the run was started
    with; ``drift`` is what was forced; ``growth`` is each enlargement of the sample, oldest first; ``resolved_hash`` is
    the digest of the configuration with the values of the environment filled in, where it holds any, and without
    the keys that ask nothing. ``config_path`` is the absolute path of the configuration file, ``config_sha256`` the
    digest of its bytes: both stand here alone, and in no archive. ``config_file`` is the same path as it was given,
    unless that is absolute. ``rescored`` is what changed of the keys that ask nothing, ``corrections`` which question
    files changed in what is not sent, oldest first. ``decided`` has
    the keys that the configuration left open, joined by ``/``, and why they have their values. ``phases`` has every
    phase of this program, and those that another version has besides.
    """

    schema_version: Literal[1] = 1
    run_id: str
    config_hash: str
    phases: dict[str, PhaseState]
    last_checkpoint: Checkpoint | None = None
    stop_requested: bool = False
    migrated: bool | msgspec.UnsetType = msgspec.UNSET
    dry_run: bool | msgspec.UnsetType = msgspec.UNSET
    config_file: str | msgspec.UnsetType = msgspec.UNSET
    config_path: str | msgspec.UnsetType = msgspec.UNSET
    config_sha256: str | msgspec.UnsetType = msgspec.UNSET
    overrides: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    resolved_hash: str | msgspec.UnsetType = msgspec.UNSET
    drift: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    growth: list[Growth] | msgspec.UnsetType = msgspec.UNSET
    rescored: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    decided: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    corrections: list[Correction] | msgspec.UnsetType = msgspec.UNSET

    def forget_place(self) -> None:
        """Drop where the configuration stood: elsewhere, a file of that name is another project's."""
        self.config_file = self.config_path = self.config_sha256 = msgspec.UNSET

    def __post_init__(self) -> None:
        """Add the phases that the version which wrote it did not have; those that only it has stay, behind ours."""
        ours = {name: self.phases.get(name) or PhaseState() for name in registry.PHASES}
        self.phases = ours | {name: phase for name, phase in self.phases.items() if name not in ours}

    @property
    def known_phases(self) -> dict[str, PhaseState]:
        """The phases that this program has."""
        return {name: self.phases[name] for name in registry.PHASES}


_VERSIONS: Final[dict[type, int]] = {RunState: 1, TrialManifest: 2, Manifest: 1}

# From each status, the ones that may follow. ``in_progress`` may follow itself: a killed run is taken up again.
_TRANSITIONS: Final[dict[PhaseStatus, frozenset[PhaseStatus]]] = {
    "not_started": frozenset({"in_progress"}),
    "in_progress": frozenset({"in_progress", "completed", "failed", "stopped"}),
    "completed": frozenset({"in_progress"}),
    "failed": frozenset({"in_progress"}),
    "stopped": frozenset({"in_progress"}),
}


def new_state(run_id: str, config_hash: str) -> RunState:
    """Return the state of a run in which nothing has begun."""
    return RunState(run_id=run_id, config_hash=config_hash, phases={name: PhaseState() for name in registry.PHASES})


def transition(state: RunState, phase: str, status: PhaseStatus, now: str, error: str | None = None) -> None:
    """Move a phase to a status.

    Raises
    ------
    IllegalTransitionError
        If that status cannot follow the phase's own.
    """
    current = state.phases[phase]
    if status not in _TRANSITIONS[current.status]:
        raise IllegalTransitionError(f"run {state.run_id}: phase {phase} cannot go from {current.status} to {status}")
    started_at = now if status == "in_progress" else current.started_at
    state.phases[phase] = PhaseState(status, started_at, now, error)


def json_schema(kind: type[RunState | TrialManifest]) -> dict[str, Any]:
    """Return the JSON Schema of a record, as published in ``docs/schemas``: what this program writes."""
    name = {RunState: "run_state.json", TrialManifest: "trial_manifest.json"}[kind]
    schema = schemas.json_schema(kind, f"promptrial {name}, schema_version {_VERSIONS[kind]}")
    if kind is RunState:
        schema["$defs"]["RunState"]["properties"]["phases"]["required"] = list(registry.PHASES)
    return schema


def encoded(path: Path, record: msgspec.Struct) -> bytes:
    """Return the bytes of a record, checked against its own schema; ``path`` is named if it does not fit.

    Raises
    ------
    CorruptRecordError
        If the record would not read back.
    """
    if isinstance(record, TrialManifest):
        _set_views(record)
    data = msgspec.json.encode(record)
    _decode(path, data, type(record))
    return msgspec.json.format(_with_unknown(record, data), indent=2) + b"\n"


def save(path: Path, record: msgspec.Struct) -> None:
    """Check a record against its own schema and write it, whole and durable.

    Raises
    ------
    CorruptRecordError
        If the record would not read back; nothing is written then.
    """
    atomic.write_bytes(path, encoded(path, record))


def load(path: Path, kind: type[_Record]) -> _Record:
    """Read a record.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    CorruptRecordError
        If it is empty, torn, garbled, of a version that this program does not know, or names a file outside the run.
    NewerVersionError
        If a newer version of the program made it.
    """
    data = read_bytes(path)
    record = _decode(path, data, kind)
    _keep_unknown(record, data)
    return record


def _decode(path: Path, data: bytes, kind: type[_Record]) -> _Record:
    try:
        if kind in _VERSIONS:
            schemas.check_version(data, _VERSIONS[kind], str(path))
        record = msgspec.json.decode(data, type=kind)
        _check_paths(record)
        return record  # noqa: TRY300 - both may find the record damaged
    except (ValueError, RecursionError) as error:  # msgspec's errors, bad UTF-8 and endless nesting
        raise CorruptRecordError(
            f"{path}: damaged, or not a {kind.__name__} record: {error}",
            hint=_remedy(path),
        ) from error


def _remedy(path: Path) -> str | None:
    """Return what to do about a damaged record; nothing is known of one that is in no run's folder."""
    root = next((folder for folder in path.parents if folder.name.startswith("run_")), None)
    if root is None:
        return None
    return f"see how to fix it: promptrial doctor {root.name.removeprefix('run_')}{place_flag(root.parent)}"


# --- keys of newer versions -----------------------------------------------------------------------------------------

_Path = tuple[str | int, ...]


def _keep_unknown(record: msgspec.Struct, data: bytes) -> None:
    """Let a record carry the keys of its file that this program does not know, so that saving it keeps them."""
    if isinstance(record, RunState | TrialManifest | Manifest):
        if msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n" == data:
            return  # as this program writes it: there are none
        known = msgspec.json.decode(msgspec.json.encode(record))
        record.__dict__["unknown"] = dict(_unknown(msgspec.json.decode(data), known, ()))


def _unknown(said: object, known: object, at: _Path) -> Iterator[tuple[_Path, object]]:
    """Yield path and value of each key that a JSON value has and another, of the same file, has not."""
    if isinstance(said, dict) and isinstance(known, dict):
        for key, value in said.items():
            if key in known:
                yield from _unknown(value, known[key], (*at, key))
            else:
                yield (*at, key), value
    elif isinstance(said, list) and isinstance(known, list):
        for index, pair in enumerate(zip(said, known, strict=False)):
            yield from _unknown(*pair, (*at, index))


def _with_unknown(record: msgspec.Struct, data: bytes) -> bytes:
    """Return an encoded record with the unknown keys that it carries, where what they belong to is still there."""
    carried: dict[_Path, object] = getattr(record, "__dict__", {}).get("unknown", {})
    if not carried:
        return data
    tree = msgspec.json.decode(data)
    for path, value in carried.items():
        branch: Any = tree
        with suppress(KeyError, IndexError, TypeError):
            for key in path[:-1]:
                branch = branch[key]
            branch.setdefault(path[-1], value)
    return msgspec.json.encode(tree)


# --- paths ----------------------------------------------------------------------------------------------------------


def _check_paths(record: msgspec.Struct) -> None:
    """Look at every path and name in a record that a file of the run may be looked for by.

    Raises
    ------
    ValueError
        If one leads out of the run.
    """
    for path in _paths(record):
        if problem := path_problem(path):
            raise ValueError(f"{path!r}: {problem}")
    for name in _names(record):
        if problem := name_problem(name):
            raise ValueError(f"{name!r}: {problem}")


def _paths(record: msgspec.Struct) -> Iterator[str]:
    if isinstance(record, Manifest):
        yield from record.receipt.artifacts
    elif isinstance(record, TrialManifest):
        for stage in record.stage_status.values():
            yield from stage.artifacts


def _names(record: msgspec.Struct) -> Iterator[str]:
    if isinstance(record, Manifest):
        for row in msgspec.convert(record.facts.get("parts", []), list[_PartRow]):
            yield from filter(None, (row.trial_slug, row.part))
    elif isinstance(record, TrialManifest):
        for name, part in record.parts.items():
            yield name
            if part.request_sha256 is not None:  # names the folder where answers to other requests are kept
                yield part.request_sha256


class _PartRow(msgspec.Struct):
    """What the build phase says of a part, as far as files are named by it."""

    trial_slug: str | None = None
    part: str | None = None
    rows: Annotated[int, msgspec.Meta(ge=0)] = 0


def _set_views(manifest: TrialManifest) -> None:
    datasets: dict[str, list[str | None]] = {}
    jobs: dict[str, list[str | None]] = {}
    for _, part in sorted(manifest.parts.items(), key=lambda entry: _number(entry[0])):
        datasets.setdefault(part.resume_key, []).append(part.dataset)
        jobs.setdefault(part.resume_key, []).append(part.job)
    manifest.datasets, manifest.jobs = datasets, jobs
    manifest.job_status = {name: part.status for name, part in manifest.parts.items()}


def _number(part: str) -> int:
    """Return the number in a part's name: the journal may report parts in any order, and p1000 comes after p999."""
    digits = part.rpartition("_p")[2]
    return int(digits) if digits.isdecimal() else 0
