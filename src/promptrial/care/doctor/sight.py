"""What every check looks at, read once: state, manifests, who holds the run, and the command that resumes it."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from promptrial.care.run_documents import ListedWord
from promptrial.care.status import built_by, read_status
from promptrial.engine.opening import RunRequest, open_run
from promptrial.engine.session import Invocation
from promptrial.errors import CorruptRecordError, PromptrialError, UsageError
from promptrial.legacy.detection import needs_migration
from promptrial.runtime.events import redactor_of_errors
from promptrial.store import jsonl
from promptrial.store.lock import Holder, holder
from promptrial.store.part_records import FileRecord
from promptrial.store.records import Manifest, RunState, TrialManifest
from promptrial.store.rundir import RunDir

__all__ = ["Sight", "file_problem", "look", "quoted"]

_LATE: Final = b'"late_job"'


@dataclass(frozen=True, slots=True)
class Sight:
    """A run as it was found.

    Parameters
    ----------
    run : RunDir
    invocation : Invocation
    env : mapping
        The environment, ``.env`` included.
    state : RunState or None
        None if it is damaged or missing.
    word : str
        The status of the run.
    by : Holder or None
        Who wrote themselves into the lock.
    built : Manifest or None
        What the build phase left.
    trials : tuple of str
        The trials of the run; where it is not known which there are, every folder that looks like one.
    repair : str
        The command that resumes the run, and fixes its records. It has ``--rebuy`` where a resume without it has
        found out that answers are lost, or a job is in doubt, and would find that out again.
    legacy : bool
        Whether an older tool made it, and nobody has migrated it yet.
    manifests : dict
        The manifests of all folders that hold one, with their journals folded in as far as those can be read.
    late_jobs : dict
        What the log says about jobs that came to be after they were given up, by their names.
    """

    run: RunDir
    invocation: Invocation
    env: dict[str, str]
    state: RunState | None
    word: ListedWord
    by: Holder | None
    built: Manifest | None
    trials: tuple[str, ...]
    repair: str
    legacy: bool = False
    manifests: dict[str, TrialManifest] = field(default_factory=dict)
    late_jobs: dict[str, str] = field(default_factory=dict)

    @property
    def working(self) -> bool:
        """Whether a process is at work on the run, so that what it has in hand is not yet what it has to be."""
        return self.by is not None and self.by.works

    @property
    def finished(self) -> bool:
        """Whether the state says that every phase is completed."""
        return self.state is not None and all(phase.status == "completed" for phase in self.state.known_phases.values())

    def said(self, error: PromptrialError) -> str:
        """Return what an error says, without secrets."""
        return redactor_of_errors(self.env)(error.message if error.hint is None else f"{error.message} ({error.hint})")

    def completed(self, phase: str) -> bool:
        """Whether the state says that a phase is completed."""
        return self.state is not None and self.state.phases[phase].status == "completed"

    def put_aside_first(self, path: Path) -> str:
        """Return the command that moves a file out of the way, where ``store.atomic`` would, and then resumes."""
        number = next(n for n in itertools.count(1) if not path.with_name(f"{path.name}.corrupt.{n}").exists())
        return f"mv {quoted(path)} {quoted(path.with_name(f'{path.name}.corrupt.{number}'))} && {self.repair}"

    def parts_of(self, slug: str) -> dict[str, int] | None:
        """Return the parts that the requests of a trial are cut into, and their rows; None if that is not known."""
        if self.built is None:
            return None
        return {row["part"]: row["rows"] for row in self.built.facts["parts"] if row["trial_slug"] == slug}


def look(run: RunDir, invocation: Invocation, env: dict[str, str]) -> Sight:
    """Read what there is to be read of a run."""
    state, word = _state(run, invocation)
    built = _built(run)
    legacy = _is_older(run)
    older = legacy or (state is not None and state.migrated is True)
    folders = tuple(sorted(path.parent.name for path in run.root.glob("*/results") if path.is_dir()))
    trials = folders if built is None else tuple(dict.fromkeys(row["trial_slug"] for row in built.facts["parts"]))
    manifests = dict(_manifests(run, folders))
    repair = _older_command(run) if older else _command(run, state, env)
    return Sight(
        run=run,
        invocation=invocation,
        env=env,
        state=state,
        word=word,
        by=holder(run.lock_path, invocation.clock),
        built=built,
        trials=trials,
        repair=f"{repair} --rebuy" if _needs_rebuy(manifests, trials, built) else repair,
        legacy=legacy and (state is None or state.migrated is not True),
        manifests=manifests,
        late_jobs=_late_jobs(run),
    )


def file_problem(run: RunDir, relative: str, expected: FileRecord) -> str:
    """Return what is wrong with a file, like ``RunDir.file_problem``; an unreadable one is expected here."""
    try:
        return run.file_problem(relative, expected)
    except PromptrialError as error:
        return error.message
    except OSError as error:
        return f"{Path(relative).name} cannot be read ({error.strerror})"


def _state(run: RunDir, invocation: Invocation) -> tuple[RunState | None, ListedWord]:
    try:
        status = read_status(run, invocation.clock)
    except UsageError:
        return None, "no_state"
    except (CorruptRecordError, OSError):
        return None, "damaged"
    return status.state, status.word


def _is_older(run: RunDir) -> bool:
    try:
        return needs_migration(run)
    except OSError:  # a record that cannot even be read is no older tool's, and is said to be damaged
        return False


def _built(run: RunDir) -> Manifest | None:
    try:
        return built_by(run)
    except OSError:
        return None


def _manifests(run: RunDir, folders: tuple[str, ...]) -> Iterator[tuple[str, TrialManifest]]:
    for slug in folders:
        with suppress(OSError, CorruptRecordError):
            manifest = run.trial(slug).load_manifest(salvage=True)
            if manifest is not None:
                yield slug, manifest


def _needs_rebuy(manifests: Mapping[str, TrialManifest], trials: Iterable[str], built: Manifest | None) -> bool:
    """Whether a part of the run waits for a person to say that it may be paid for again."""
    cut = None if built is None else {(row["trial_slug"], row["part"]) for row in built.facts["parts"]}
    for slug in trials:
        for name, part in (manifests[slug].parts if slug in manifests else {}).items():
            if (cut is None or (slug, name) in cut) and (part.lost is True or part.status == "unknown"):
                return True
    return False


def _late_jobs(run: RunDir) -> dict[str, str]:
    """Return what the log first says about each late job: no record of the run does, because nothing depends on it."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in jsonl.lines(run.log_path):
            if _LATE in line:
                with suppress(ValueError, RecursionError):
                    logged = msgspec.json.decode(line, type=_Logged)
                    found.setdefault(logged.late_job, logged.text.removeprefix("warning: "))
    return found


class _Logged(msgspec.Struct):
    late_job: str
    text: str


# --- the command ----------------------------------------------------------------------------------------------------


def _command(run: RunDir, state: RunState | None, env: dict[str, str]) -> str:
    """Return the command that resumes a run of our own.

    Where the configuration that it was started with has changed since, a resume by that is refused, and the run's own
    copy finishes it. If its state is lost, a resume finds out what it was started with.
    """
    flag = (
        f" --config {quoted(run.config_path)}"
        if _drifts(run, None, env) and not _drifts(run, run.config_path, env)
        else ""
    )
    if state is not None or run.state_path.exists():
        return f"{run.command('run')}{flag} --resume"
    return f"{run.rebuild_command}{flag}"


def _drifts(run: RunDir, config: Path | None, env: dict[str, str]) -> bool:
    """Whether a run cannot be resumed with a configuration, or with what it was started with."""
    request = RunRequest(
        run.root.parent, run.run_id, config=config, plan_only=True, rebuild=True, reads_questions=False
    )
    try:
        return bool(open_run(request, env).changes.drift)
    except (PromptrialError, OSError):
        return True


def _older_command(run: RunDir) -> str:
    """Return what migrates a run of an older tool, again if need be, and resumes it."""
    kept = any(run.prepared.glob("*.jsonl"))
    return f"{run.rebuild_command}{'' if kept else ' --prepared path/to/prepared'}"


def quoted(path: Path) -> str:
    """Return a path as it is typed in a command."""
    return shlex.quote(str(path))
