"""What the command line asks of a run, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptrial.config.loading import KeyPath

__all__ = ["RunRequest"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What the command line asks for. ``overrides`` maps key paths to values that flags gave."""

    experiments: Path
    run_id: str
    config: Path | None = None
    overrides: Mapping[KeyPath, object] = field(default_factory=dict)
    unnamed: bool = False
    """Whether the program chose the name, so that an existing run of this name is another one."""
    resume: bool = False
    force: bool = False
    steps_named: bool = False
    plan_only: bool = False
    begins: bool = True
    """Whether the steps asked for include the first, so that a run may begin with them."""
    rebuild: bool = False
    """Whether a run whose state is lost is resumed, and not started as a new one."""
    dry_run: bool = False
    rebuy: bool = False
    """Whether answers that a provider has lost may be paid for again."""
    yes: bool = False
    """Whether money may be spent without a question."""
    unattended: bool = False
    """Whether the command never asks, because nobody may be there to answer."""
    allow_code: bool = False
    """Whether code that came with the run may run here, now and later."""
    reuse: tuple[str, ...] = ()
    """The runs whose answers may be taken over, as flags name them."""
    max_cost_usd: float | None = None
    """The most that the run may spend; None for the cap that was given last."""
    pilot: int | None = None
    """How many items of each data set are asked first."""
    past_pilot: bool = False
    """Whether the items are asked that the pilot of the run has left."""
    unblind: bool = False
    """Whether trials that are asked in waves end after their last look, so that their results can be seen."""
    past_stop: bool = False
    """Whether the next wave is asked of trials that were over."""
    trusts_kept_digests: bool = False
    """Whether files that are unchanged, as far as the file system can tell, are taken for what was digested."""
    reads_questions: bool = True
    """Whether question files may be read for what the configuration leaves open; otherwise the record says it."""
