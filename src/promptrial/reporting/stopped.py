"""What is said about a trial that stopped early, by its rule or by hand: what was asked, and what was saved. Pure."""

from __future__ import annotations

from msgspec import UNSET

from promptrial.documents.looks import Looks
from promptrial.documents.significance import Endpoint, Significance
from promptrial.reporting.cells import amount, count

__all__ = ["alpha_of", "covers", "early_stop", "saved_usd", "stopped_sentence"]


def early_stop(significance: Significance) -> Looks | None:
    """Return the looks at a trial of which questions were left that were not asked; None of any other."""
    looks = significance.looks
    return None if looks is UNSET or not looks.stopped_early else looks


def covers(significance: Significance, row: Endpoint) -> bool:
    """Whether an endpoint was decided by looks at the running trial."""
    looks = significance.looks
    return looks is not UNSET and row.metric == looks.metric and row.scope == "overall"


def alpha_of(significance: Significance, row: Endpoint) -> float:
    """Return the level at which an endpoint is decided: that of the stopping rule where there is one."""
    looks = significance.looks
    return looks.alpha if looks is not UNSET and covers(significance, row) else significance.settings.alpha


def saved_usd(looks: Looks, spent_usd: float | None) -> float | None:
    """Return what the questions that were not asked would have cost, at the average of those that were.

    Examples
    --------
    >>> from promptrial.documents.looks import Looks
    >>> looks = Looks(rule="evalue", metric="em", alpha=0.05, efficacy=True, futility=None, waves_planned=10,
    ...               items_planned=1000, items=400, decision="stop", taken=())
    >>> saved_usd(looks, 2.0)
    3.0
    """
    if spent_usd is None or not looks.items:
        return None
    return spent_usd * (looks.items_planned - looks.items) / looks.items


def stopped_sentence(looks: Looks, lead: str, figures: str, spent_usd: float | None, why: str = "") -> tuple[str, str]:
    """Return the words and figures of a finding, one sentence together, as those of a trial that was stopped early.

    ``why`` follows "Stopped", where the finding itself is not the reason.
    """
    saved = saved_usd(looks, spent_usd)
    left = looks.items_planned - looks.items
    gain = f"saved {amount(saved)} USD" if saved else f"{count(left)} were not asked"
    asked = f"{count(looks.items)} of {count(looks.items_planned)} questions"
    lead = f"Stopped{why} after {asked}: {lead}"
    return lead, f"{figures.removesuffix('.')}; {gain}."
