"""Which caps a run uses: those given last, by a flag or in the configuration. They are kept with the run."""

from __future__ import annotations

from typing import Final

import msgspec

from promptrial.config.spending import SpendingConfig
from promptrial.store.change_records import SpendingCaps

__all__ = ["caps_of", "with_part_limit"]

_PARTS_IN_A_CAP: Final = 10
"""At least this many parts fit into a cap: so many may be in flight, and losing one costs at most a tenth of it."""


def caps_of(given_usd: float | None, spending: SpendingConfig, recorded: SpendingCaps | None) -> SpendingCaps:
    """Return the caps of a run.

    A flag wins. Without one the cap given last counts: that of the configuration if it was changed there since, and
    otherwise the one on record. So a flag is remembered, and a run that resumes from its own copy of the configuration,
    which says nothing of spending, keeps its cap.

    Parameters
    ----------
    given_usd : float or None
        What the flag says.
    spending : SpendingConfig
        What the configuration says now.
    recorded : SpendingCaps or None
        What is recorded of a run that has started.
    """
    known = recorded or SpendingCaps()
    changed = spending.max_usd is not None and spending.max_usd != known.configured_usd
    last = spending.max_usd if changed else known.max_usd
    return SpendingCaps(
        max_usd=last if given_usd is None else given_usd,
        month_max_usd=spending.month_max_usd or known.month_max_usd,
        configured_usd=spending.max_usd or known.configured_usd,
        part_usd=known.part_usd,
    )


def with_part_limit(caps: SpendingCaps) -> SpendingCaps:
    """Return caps with the most that a part may reserve whose requests are not written yet: a tenth of the cap."""
    known = [cap for cap in (caps.max_usd, caps.month_max_usd) if cap is not None]
    return msgspec.structs.replace(caps, part_usd=min(known) / _PARTS_IN_A_CAP if known else None)
