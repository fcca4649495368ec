"""One invocation from the outside: what comes from the process, and what the phases of an opened run work on and with.

The command line calls ``previewing`` and ``invocation`` with it, and prints what they return; nothing here parses flags
or formats results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from promptrial.config.loading import placeholder_of_value
from promptrial.config.secrets import secret_values
from promptrial.costs.price_book import PriceBook
from promptrial.design.plan import Selection
from promptrial.engine import kept_prices
from promptrial.engine.opening import Opened, RunRequest, requests_unchanged
from promptrial.engine.providers import Providers
from promptrial.engine.reusing import lenders
from promptrial.engine.sealing import sealed_plan
from promptrial.errors import UsageError
from promptrial.phases.services import Ask, Services
from promptrial.phases.spec import RunSpec, SampleHistory, SpendingTerms, TrustedCode
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import EventLog, Level, Redactor
from promptrial.runtime.progress import NoProgress, Progress
from promptrial.runtime.stop import StopToken
from promptrial.store.change_records import Correction
from promptrial.store.part_records import listed

__all__ = [
    "Invocation",
    "narrowed",
    "priced_spec",
    "providers_of",
    "services_of",
    "spec_of",
    "with_corrections",
]


@dataclass(frozen=True, slots=True)
class Invocation:
    """What comes from the process: environment, clock, where sentences go, how progress looks."""

    env: Mapping[str, str]
    clock: Clock
    say: Callable[[str], None]
    level: Level = "info"
    progress: Progress = NoProgress()  # noqa: RUF009 - it holds no state
    stop_when: Callable[[], bool] | None = None
    """Asked wherever the run looks whether to stop."""
    resume_command: str = ""
    """The command that resumes the run, if it is stopped."""
    ask: Ask | None = None
    """How the user is asked before money is spent; None where nobody can be asked."""
    listen: Callable[[Mapping[str, object]], None] | None = None
    """Takes events of that level in place of their sentences."""


def priced_spec(request: RunRequest, opened: Opened, env: Mapping[str, str], invocation: Invocation) -> RunSpec:
    """Return what the phases work on, with today's prices of models that have none on record yet."""
    prices = kept_prices.book_of(opened, env, invocation.clock.now(), renew=request.force)
    return spec_of(request, opened, prices)


def spec_of(request: RunRequest, opened: Opened, prices: PriceBook | None = None) -> RunSpec:
    """Return what the phases of an opened run work on; its prices are those on record, if none are given.

    Raises
    ------
    CorruptRecordError
        If the prices on record are lost or damaged.
    """
    return RunSpec(
        run=opened.run,
        config=opened.loaded.experiment,
        config_folder=opened.loaded.folder,
        config_hash=opened.configured.digest,
        trials=opened.trials,
        written=opened.loaded.placeholders,
        dry_run=opened.dry_run,
        requests_unchanged=requests_unchanged(opened),
        code=TrustedCode(opened.trusted_code, opened.configured.config_file),
        history=_history(opened),
        terms=_terms_of(request, opened, prices),
    )


def _history(opened: Opened) -> SampleHistory:
    state, origin, growth = opened.state, opened.origin, opened.growth
    return SampleHistory(
        growth,
        () if origin is None else tuple(listed(origin.corrections)),
        sealed_plan(state, origin, growth, (*opened.changes.drift, *opened.changes.rescored)),
        None if opened.pilot is None else opened.pilot.items,
    )


def _terms_of(request: RunRequest, opened: Opened, prices: PriceBook | None) -> SpendingTerms:
    return SpendingTerms(
        prices=prices or kept_prices.book_on_record(opened),
        rebuy=request.rebuy,
        yes=request.yes,
        caps=opened.caps,
        reuse=lenders(request.reuse, opened.run, opened.state, opened.origin),
        consents=() if opened.origin is None else tuple(listed(opened.origin.consents)),
        unattended=request.unattended,
    )


def providers_of(opened: Opened, env: Mapping[str, str], *, dry_run: bool = False) -> Providers:
    """Return the adapters of an opened run; with ``dry_run``, an emulator in its folder answers for hosted ones."""
    root = opened.run.root
    loaded = opened.loaded
    return Providers(env, loaded.experiment.providers, root if dry_run else None, root, loaded.folder)


def services_of(opened: Opened, env: Mapping[str, str], invocation: Invocation, providers: Providers) -> Services:
    """Return what the phases of an opened run work with; no manifest is loaded yet.

    A stop of the run does not stop them: a command that only looks at a run has to work while one is asked for.
    """
    loaded = opened.loaded
    secrets = secret_values(loaded.experiment.providers, loaded.placeholders, env)
    redactor = Redactor(env, placeholder_of_value(loaded.placeholders, env), secrets)
    return Services(
        clock=invocation.clock,
        stop=StopToken(clock=invocation.clock, when=invocation.stop_when),
        events=EventLog(invocation.clock.now, redactor, invocation.say, invocation.level, listen=invocation.listen),
        provider=providers,
        env=env,
        progress=invocation.progress,
        ask=invocation.ask,
    )


def narrowed(selection: Selection, opened: Opened, pattern: str | None) -> Selection:
    """Narrow a selection to the trials whose slugs contain the text of ``--trial_filter``."""
    if pattern is None:
        return selection
    found = frozenset(trial.slug for trial in opened.trials if pattern in trial.slug)
    if not found:
        names = ", ".join(trial.slug for trial in opened.trials)
        raise UsageError(f"--trial_filter {pattern!r} matches no trial; trials: {names}")
    return replace(selection, trials=found)


def with_corrections(spec: RunSpec, corrections: tuple[Correction, ...]) -> RunSpec:
    """Return a run with the corrections of its question files."""
    return replace(spec, history=spec.history._replace(corrections=corrections))
