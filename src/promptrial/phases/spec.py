"""What a phase works on: the run specification. A value that can be pickled, so that another process can take it up.

What a phase works with (clock, stop, providers, records that change) is ``services``, and stays in its process. A
function that takes only a ``RunSpec`` asks no provider, waits for nothing and says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from promptrial.config.schema import ExperimentConfig
from promptrial.costs.price_book import PriceBook
from promptrial.model import Trial
from promptrial.phases.longest_prompt import longest_prompt
from promptrial.store.change_records import Consent, Correction, Growth, SpendingCaps
from promptrial.store.rundir import RunDir

__all__ = ["RunSpec", "SampleHistory", "SealedPlan", "SpendingTerms", "TrustedCode"]


class TrustedCode(NamedTuple):
    """Which code in a configuration may run: its digests (see ``config.code.allowed_as``), and the file that was read.

    The file is for people; None if it is not known.
    """

    digests: frozenset[str] = frozenset()
    config_file: Path | None = None


class SealedPlan(NamedTuple):
    """The analysis plan that was sealed: its SHA-256, and what was changed since, one line each.

    Corrections are not among these: the first ``corrections`` of them came before the seal.
    """

    sha256: str
    changes: tuple[str, ...] = ()
    corrections: int = 0


class SampleHistory(NamedTuple):
    """How a run has changed: each growth, each correction in what is not sent, oldest first; and the sealed plan.

    ``pilot`` is how many items of each data set were asked first, None without a pilot.
    """

    growth: tuple[Growth, ...] = ()
    corrections: tuple[Correction, ...] = ()
    sealed: SealedPlan | None = None
    pilot: int | None = None


class SpendingTerms(NamedTuple):
    """What a run's models cost, and what it may spend.

    ``caps`` is the most that may be spent, ``yes`` whether it need not ask before it spends; with ``rebuy``,
    answers that a provider has lost may be paid for again. ``reuse`` are the runs whose answers may be taken over, in
    the order in which they are looked through.
    ``consents`` is what was agreed to before; an ``unattended`` command never asks.
    """

    prices: PriceBook = PriceBook()
    rebuy: bool = False
    yes: bool = False
    caps: SpendingCaps = SpendingCaps()
    reuse: tuple[RunDir, ...] = ()
    consents: tuple[Consent, ...] = ()
    unattended: bool = False

    @property
    def max_usd(self) -> float | None:
        """The most that the run may spend; None for any amount."""
        return self.caps.max_usd


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What a run is.

    Parameters
    ----------
    run : RunDir
        Its folder. Relative paths hold only in a process with the same working folder.
    config : ExperimentConfig
        Its configuration; seeds and limits are in there.
    config_folder : Path
        Where the paths in the configuration start from.
    config_hash : str
        The digest of the effective configuration.
    trials : tuple of Trial
        All of them, in order.
    active : tuple of Trial
        Those that this invocation was asked to work on.
    written : mapping
        Key path -> text of the configuration's values that hold ``${VAR}``.
    dry_run : bool
        Whether an emulator answers in place of hosted providers.
    requests_unchanged : bool
        Whether answers on disk are known to be to the requests as they are built now, whatever is beside them.
    code : TrustedCode
        Which code of the configuration may run here.
    history : SampleHistory
        How the sample has changed.
    terms : SpendingTerms
    """

    run: RunDir
    config: ExperimentConfig
    config_folder: Path
    config_hash: str
    trials: tuple[Trial, ...]
    active: tuple[Trial, ...] = ()
    written: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)
    dry_run: bool = False
    requests_unchanged: bool = True
    code: TrustedCode = TrustedCode()  # noqa: RUF009 - it cannot change
    history: SampleHistory = SampleHistory()  # noqa: RUF009 - it cannot change
    terms: SpendingTerms = SpendingTerms()  # noqa: RUF009 - it cannot change

    def trial(self, slug: str) -> Trial:
        """Return the trial with this slug."""
        return next(trial for trial in self.trials if trial.slug == slug)

    @property
    def prices(self) -> PriceBook:
        """What its models cost; where that depends on the length of prompts, by the longest request that is written.

        What plans requests that are not written yet says in the terms how long the longest one will be.
        """
        prices = self.terms.prices
        if prices.longest_prompt is not None or not prices.depends_on_length:
            return prices
        return replace(prices, longest_prompt=longest_prompt(self.run))

    @property
    def rebuy(self) -> bool:
        """Whether answers that a provider has lost may be paid for again."""
        return self.terms.rebuy

    @property
    def growth(self) -> tuple[Growth, ...]:
        """Each enlargement of the sample, oldest first."""
        return self.history.growth

    @property
    def corrections(self) -> tuple[Correction, ...]:
        """Each correction of question files in what is not sent, oldest first."""
        return self.history.corrections

    @property
    def n_corrected(self) -> dict[str, int]:
        """How many questions were corrected, by data set, counted again for each correction."""
        found: Counter[str] = Counter()
        for correction in self.corrections:
            found.update({name: source.questions for name, source in correction.sources.items() if source.questions})
        return dict(found)

    @property
    def corrected_sources(self) -> dict[str, str]:
        """The SHA-256 of each question file that was corrected, by data set, as it is from the last correction on."""
        return {name: each.sha256 for correction in self.corrections for name, each in correction.sources.items()}

    def without_secrets(self) -> RunSpec:
        """Return what a process needs that asks no provider: without the headers and proxies of providers."""
        bare: dict[str, object] = {"headers": {}, "proxy": None}
        providers = {name: entry.model_copy(update=bare) for name, entry in self.config.providers.items()}
        return replace(self, config=self.config.model_copy(update={"providers": providers}))

    def as_written(self, value: str, *at: str | int) -> str:
        """Return a value of the configuration as it is in the file, so that it may be written down."""
        return self.written.get(at, value)

    def stop_as_written(self, trial: Trial) -> tuple[str, ...]:
        """Return the stop sequences of a trial as they are in the file."""
        return tuple(self.as_written(text, "stop", index) for index, text in enumerate(trial.stop))
