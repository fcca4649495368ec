"""Which engine answers a trial: what is recorded, and the refusal to continue with another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from promptrial.errors import LoadingError, PhaseFailedError
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec, Trial
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store.asked_files import read_asked
from promptrial.store.breadcrumbs import JOB_FILE

__all__ = ["engine_for"]

_T = TypeVar("_T")
_BETWEEN_LOOKS_S: Final = 2.0


def engine_for(
    spec: RunSpec, services: Services, trial: Trial, model: ModelSpec, work: Sequence[PartWork]
) -> dict[str, Any]:
    """Return the engine of those arms of a trial that a model answers, as it has to be in its manifest.

    Parameters
    ----------
    spec : RunSpec
    services : Services
    trial : Trial
    model : ModelSpec
        One that arms of the trial are run with.
    work : sequence of PartWork
        Parts, those of the trial among them.

    Raises
    ------
    PhaseFailedError
        If answers are still to come, and not from where the others of this trial were asked for: another account,
        address, model or version. An arm that is shared with another trial counts as asked for there.
    """
    own = [item for item in work if item.folder.slug == trial.slug and item.model == model]
    recorded = next((item.engine for item in own), {})
    if recorded and all(item.downloaded or item.duplicate_is_downloaded for item in own):
        return recorded
    now = _engine_now(spec, services, model)
    for each in (each for item in own for each in (item, *item.duplicates)):
        for engine in _asked_of(each):
            _require_same(trial.slug, engine, now)
    return now


def _asked_of(work: PartWork) -> Iterator[dict[str, Any]]:
    """Yield the engines that have been asked, or may have been, for exactly the requests of a part."""
    intents = [intent for intent in (*work.intents, *work.sent_one_by_one) if intent.status != "pending"]
    yield from (intent.engine or work.engine for intent in intents)
    if work.has_job and not intents:
        yield work.engine
    for folder in (work.answers_folder, work.folder_apart(work.request_sha256)):
        asked = read_asked(folder)
        if asked is not None and asked.request_sha256 == work.request_sha256 and _holds_answers(folder):
            yield asked.engine


def _holds_answers(folder: Path) -> bool:
    """Whether there is anything beside ``asked.json``: rows, or the note of a job."""
    names = ("results*.jsonl", f"*{JOB_FILE}")
    return any(path.stat().st_size > 0 for name in names for path in folder.glob(name))


def _engine_now(spec: RunSpec, services: Services, model: ModelSpec) -> dict[str, Any]:
    """Return what the provider says; a dry run has a server of its own, whose port is another one each time."""
    provider = services.provider(model.provider)
    found = dict(_once_loaded(services, lambda: provider.fingerprint(model), spec.config.execution.outage_s))
    return {**found, "api": "emulator"} if spec.dry_run and "api" in found else found


def _once_loaded(services: Services, call: Callable[[], _T], patience_s: float) -> _T:
    """Ask a server once it has loaded its model, which may take minutes.

    Raises
    ------
    LoadingError
        If it has not within so many seconds.
    StopRequested
        If a stop was asked for.
    """
    end, said = services.clock.monotonic() + patience_s, False
    while True:
        try:
            return call()
        except LoadingError as error:
            if services.clock.monotonic() >= end:
                raise
            if not said:
                services.events.say(f"{error.message}: waiting until it has loaded its model")
            said = True
            services.stop.wait(_BETWEEN_LOOKS_S)
            services.stop.check()


def _require_same(slug: str, recorded: dict[str, Any], now: dict[str, Any]) -> None:
    """Compare all that is on record; a key that is not was not yet recorded then."""
    changed = sorted(key for key in recorded if recorded[key] != now.get(key))
    if changed:
        raise PhaseFailedError(
            f"{slug}: the engine is not the one that this trial was started with: "
            + "; ".join(f"{key}: {recorded[key]} -> {now.get(key)}" for key in changed),
            hint=(
                "restore the settings (account, address, engine) that it was started with and resume, or start a "
                "new run with another --run_id"
            ),
        )
