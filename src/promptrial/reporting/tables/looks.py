"""The table of the looks at a trial that was asked in waves. Pure."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import UNSET

from promptrial.documents.looks import EndpointLookRow, LookRow, Looks
from promptrial.documents.significance import Significance
from promptrial.reporting.cells import Table, count, effect, p_value, temperature
from promptrial.reporting.tables.words import metric_text, score_unit

__all__ = ["looks_table", "why_stopped"]

_RULES: Final = {
    "evalue": "bets on the mean (an e-process): p is 1/E, and the interval is their confidence sequence",
    "obrien_fleming": "bounds from an O'Brien-Fleming spending function",
    "pocock": "bounds from a Pocock spending function",
}
_REASONS: Final = {
    "efficacy": "a difference is shown",
    "futility": "a difference as large as the margin is ruled out",
    "before": "a difference was shown before",
    None: "open",
}
_ENDS: Final = {
    "stop": "The rule ended the trial early.",
    "end": "All waves were asked.",
    "unblind": "The trial was ended by hand, to see its results.",
}


def looks_table(significance: Significance) -> Table:
    """Return every look, contrast by contrast; without rows where the trial was not looked at."""
    looks = significance.looks
    if looks is UNSET:
        return Table("Looks", (), (), (), "")
    label = metric_text(looks.metric).label
    return Table(
        f"Looks at the running trial: {label}",
        ("After", "Items", "Contrast", "Temp.", "Difference (valid interval)", "p", "Level", "Decision"),
        tuple(
            _row(significance, look, each, _REASONS[_reason(looks, at, each)])
            for at, look in enumerate(looks.taken)
            for each in look.endpoints
        ),
        (
            _rule(looks),
            _asked(looks),
            *_futility(looks, significance),
            *(f"{text}." for text in looks.deviations),
        ),
        "lrllrrrl",
    )


def _rule(looks: Looks) -> str:
    share = f"{100 * looks.alpha:g}%"
    bound = "at most" if looks.rule == "evalue" else "about"
    errs = f"If there is no difference, all looks together report one in {bound} {share} of trials."
    return f"Rule {looks.rule}: {_RULES[looks.rule]}. {errs}"


def _asked(looks: Looks) -> str:
    asked = f"{count(looks.items)} of {count(looks.items_planned)} items were asked"
    return f"{_ENDS[looks.decision]} {asked}, in {len(looks.taken)} of {looks.waves_planned} waves."


def _futility(looks: Looks, significance: Significance) -> list[str]:
    words = _margin_words(looks, significance)
    return [f"It could also end once {words} was ruled out."] if words else []


def _margin_words(looks: Looks, significance: Significance) -> str:
    """Return the difference that has to be ruled out for the rule to stop, as it is shown; empty without any."""
    if looks.futility is None:
        return ""
    unit = score_unit(looks.metric)
    width = unit.width * looks.futility / _width(looks, significance)
    return f"a difference of {width:g} {unit.name or 'points'} or more"


def why_stopped(looks: Looks, significance: Significance) -> str:
    """Return that the rule stopped for futility, if it did so in a comparison; a difference is stated anyway."""
    last = looks.taken[-1].endpoints if looks.taken else ()
    if looks.decision != "stop" or all(_reason(looks, len(looks.taken) - 1, each) != "futility" for each in last):
        return ""
    return f" for futility ({_margin_words(looks, significance)} is ruled out)"


def _width(looks: Looks, significance: Significance) -> float:
    low, high = significance.settings.range_of(looks.metric)
    return high - low


def _reason(looks: Looks, at: int, row: EndpointLookRow) -> Literal["efficacy", "futility", "before"] | None:
    """Return the reason of a row of the look at this place: ``before``, if an earlier look has shown a difference."""
    earlier = (each for look in looks.taken[:at] for each in look.endpoints if each.reason == "efficacy")
    was_shown = (row.contrast, row.temp) in ((each.contrast, each.temp) for each in earlier)
    return "before" if was_shown and row.reason != "efficacy" else row.reason


def _row(significance: Significance, look: LookRow, each: EndpointLookRow, decision: str) -> tuple[str, ...]:
    looks = significance.looks
    assert looks is not UNSET  # noqa: S101 - the row is one of theirs
    unit, width = score_unit(looks.metric), _width(looks, significance)
    difference = None if each.difference is None else each.difference / width
    return (
        f"wave {look.wave}",
        count(look.items),
        each.contrast,
        temperature(each.temp),
        effect(difference, each.ci_low / width, each.ci_high / width, unit),
        p_value(each.p, each.level),
        f"{each.level:.3g}",
        decision,
    )
