"""The run's records as typed values: run state, trial manifest, receipts. Encoding, checking and reading back.

Every record carries a ``schema_version``. Keys that a reader does not know are kept when the record is saved; a record
of a newer version is refused (``NewerVersionError``) and left as it is; a damaged file is called damaged
(``CorruptRecordError``). Nothing is ever read as an empty default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import msgspec

from promptrial import registry
from promptrial.config.environment import place_flag
from promptrial.documents import schemas
from promptrial.documents.files import name_problem, path_problem, read_bytes
from promptrial.errors import CorruptRecordError
from promptrial.model.arms import is_judge
from promptrial.store import atomic
from promptrial.store.arm_records import ArmRecord
from promptrial.store.change_records import Consent, Correction, Drift, Growth, Pilot, Rescored, Seal, SpendingCaps
from promptrial.store.facts import check_facts, check_trial, digest_of_facts
from promptrial.store.part_records import FileRecord, PartRecord, PartStatus
from promptrial.store.unknown_keys import keep_unknown, with_unknown

if TYPE_CHECKING:
    from promptrial.model import Part

__all__ = [
    "Checkpoint",
    "Manifest",
    "Origin",
    "PhaseState",
    "PhaseStatus",
    "Receipt",
    "RunState",
    "StageRecord",
    "TrialManifest",
    "encoded",
    "json_schema",
    "load",
    "new_state",
    "save",
]

PhaseStatus = Literal["not_started", "in_progress", "completed", "failed", "stopped"]
_Record = TypeVar("_Record", bound=msgspec.Struct)


class Receipt(msgspec.Struct, frozen=True):
    """What a phase made and what it made it from.

    ``artifacts`` maps paths relative to the run root to file records. ``inputs`` maps names (``plan``, or a phase
    that was read) to digests, and names of code to versions, where these are not the first.
    """

    artifacts: dict[str, FileRecord]
    inputs: dict[str, str]


class Manifest(msgspec.Struct, kw_only=True, dict=True):
    """``manifest.json`` of a folder that belongs to the whole run: the receipt, and facts with the digest of them.

    The digest is made when saving; earlier versions had none.
    """

    schema_version: Literal[1] = 1
    receipt: Receipt
    facts: dict[str, Any] = {}
    facts_sha256: str | msgspec.UnsetType = msgspec.UNSET

    @cached_property
    def parts_by_trial(self) -> Mapping[str, Sequence[Part]]:
        """The parts that *build* cut the run into, in order, by trial; worked out once: there may be thousands."""
        from promptrial.model import Part

        cut: dict[str, list[Part]] = {}
        for part in msgspec.convert(self.facts["parts"], list[Part]):
            cut.setdefault(part.trial_slug, []).append(part)
        return cut


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


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was started with, as its state says it; every trial keeps a copy, because a state may be lost."""

    config_hash: str
    config_file: str | None = None
    overrides: dict[str, Any] = {}
    dry_run: bool = False
    resolved_hash: str | None = None
    drift: list[Drift] = []
    growth: list[Growth] | msgspec.UnsetType = msgspec.UNSET
    decided: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    corrections: list[Correction] | msgspec.UnsetType = msgspec.UNSET
    seal: Seal | msgspec.UnsetType = msgspec.UNSET
    reuse: list[str] | msgspec.UnsetType = msgspec.UNSET
    caps: SpendingCaps | msgspec.UnsetType = msgspec.UNSET
    prices_kept: bool | msgspec.UnsetType = msgspec.UNSET
    consents: list[Consent] | msgspec.UnsetType = msgspec.UNSET
    pilot: Pilot | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, state: RunState) -> Origin:
        """Return what a state says."""
        said = {name: getattr(state, name) for name in cls.__struct_fields__}
        return cls(**{name: value for name, value in said.items() if value is not msgspec.UNSET})


class TrialManifest(msgspec.Struct, kw_only=True, dict=True):
    """``trial_manifest.json``. ``datasets``, ``jobs`` and ``job_status`` are views of ``parts``, made when saving.

    ``arms`` has those arms that another model than the trial's answers; ``judges`` has the judges that were asked, with
    the names that their parts have.
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
    judges: dict[str, ArmRecord] | msgspec.UnsetType = msgspec.UNSET
    older: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """What was in the manifest of an older tool and has no place here."""

    def own(self, arm: str) -> ArmRecord | None:
        """Return the record of an arm that has a model of its own, or of a judge."""
        held = self.judges if is_judge(arm) else self.arms
        return None if isinstance(held, msgspec.UnsetType) else held.get(arm)

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

    A ``dry_run`` uses local emulators, not hosted providers. ``overrides`` are the flags that the run was started
    with; ``drift`` is what was forced; ``growth`` is each enlargement of the sample, oldest first; ``resolved_hash`` is
    the digest of the configuration with the values of the environment filled in, where it holds any, and without
    the keys that ask nothing. ``config_path`` is the absolute path of the configuration file, ``config_sha256`` the
    digest of its bytes: both are recorded only here, and in no archive. ``config_file`` is the same path as it was
    given, unless that is absolute. ``rescored`` is what changed of the keys that ask nothing, ``corrections`` which
    question files changed in what is not sent, oldest first; ``seal`` is that of the analysis plan. ``decided`` has
    the keys that the configuration left open, joined by ``/``, and why they have their values. ``prices_kept`` says
    that ``prices.json`` holds the prices that the run uses. ``reuse`` names the runs
    whose answers may be taken over; ``reuse_places`` says about those kept elsewhere in which folder they are, as it is
    reached from that of this run. ``caps`` is what may be spent. ``phases`` has every phase of this
    program, and those that another version has besides. ``aa`` is there, and true, for an A/A run, whose arms all send
    the same requests. ``consents`` is what it was allowed to spend, oldest
    first; ``pilot`` is there if it has one.
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
    drift: list[Drift] | msgspec.UnsetType = msgspec.UNSET
    growth: list[Growth] | msgspec.UnsetType = msgspec.UNSET
    rescored: list[Rescored] | msgspec.UnsetType = msgspec.UNSET
    decided: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    corrections: list[Correction] | msgspec.UnsetType = msgspec.UNSET
    seal: Seal | msgspec.UnsetType = msgspec.UNSET
    reuse: list[str] | msgspec.UnsetType = msgspec.UNSET
    reuse_places: dict[str, str] | msgspec.UnsetType = msgspec.UNSET
    caps: SpendingCaps | msgspec.UnsetType = msgspec.UNSET
    prices_kept: bool | msgspec.UnsetType = msgspec.UNSET
    aa: bool | msgspec.UnsetType = msgspec.UNSET
    consents: list[Consent] | msgspec.UnsetType = msgspec.UNSET
    pilot: Pilot | msgspec.UnsetType = msgspec.UNSET

    def forget_place(self) -> None:
        """Drop where files was that are not the run's: elsewhere, what has such a name is another project's."""
        self.config_file = self.config_path = self.config_sha256 = self.reuse_places = msgspec.UNSET

    def __post_init__(self) -> None:
        """Add the phases that the version which wrote it did not have; those that only it has stay, after ours."""
        ours = {name: self.phases.get(name) or PhaseState() for name in registry.PHASES}
        self.phases = ours | {name: phase for name, phase in self.phases.items() if name not in ours}

    @property
    def known_phases(self) -> dict[str, PhaseState]:
        """The phases that this program has."""
        return {name: self.phases[name] for name in registry.PHASES}


_VERSIONS: Final[dict[type, int]] = {RunState: 1, TrialManifest: 2, Manifest: 1}


def new_state(run_id: str, config_hash: str) -> RunState:
    """Return the state of a run in which nothing has started."""
    return RunState(run_id=run_id, config_hash=config_hash, phases={name: PhaseState() for name in registry.PHASES})


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
    elif isinstance(record, Manifest):
        record.facts_sha256 = digest_of_facts(record.facts)
    data = msgspec.json.encode(record)
    _decode(path, data, type(record))
    return msgspec.json.format(with_unknown(record, data), indent=2) + b"\n"


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
        If it does not exist.
    CorruptRecordError
        If it is empty, torn, garbled, of a version that this program does not know, or names a file outside the run.
    NewerVersionError
        If a newer version of the program made it.
    """
    data = read_bytes(path)
    record = _decode(path, data, kind)
    if isinstance(record, RunState | TrialManifest | Manifest):
        keep_unknown(record, data)
    return record


def _decode(path: Path, data: bytes, kind: type[_Record]) -> _Record:
    try:
        if kind in _VERSIONS:
            schemas.check_version(data, _VERSIONS[kind], str(path))
        record = msgspec.json.decode(data, type=kind)
        if isinstance(record, Manifest):
            check_facts(path.parent.name, record.facts, record.facts_sha256, record.receipt.artifacts)
        elif isinstance(record, TrialManifest):
            check_trial(record.trial)
        _check_paths(record)
        return record  # noqa: TRY300 - all of it may find the record damaged
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
    if isinstance(record, TrialManifest):
        for name, part in record.parts.items():
            yield name
            if part.request_sha256 is not None:  # names the folder where answers to other requests are kept
                yield part.request_sha256


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
