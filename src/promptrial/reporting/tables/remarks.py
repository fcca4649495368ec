"""What statistics remark on their figures, in plain words for pages. Pure; ``significance.json`` keeps its own form."""

from __future__ import annotations

import re
from typing import Final

from promptrial.documents.density import remarked

__all__ = ["plain"]

_BOTH: Final = "the sign flips and of the score test on effective counts"
_IN_NONE: Final = r"pairs differ in 0 of (\d+ \w+)"
_IN_FEW: Final = r"pairs differ in (\d+ of \d+ \w+)"
_WIDENED: Final = re.compile(r"too sparse for sign flips alone .+: the interval is widened, (by .+)")
_PLAIN: Final = {
    rf"too sparse for sign flips alone \({_IN_NONE}: .+\): the interval is widened, (by .+)":
        r"the arms differ on none of \1, which is too sparse for sign flips alone, so the interval is widened \2",
    rf"too sparse for sign flips alone \({_IN_FEW}: (.+)\): the interval is widened, (by .+)":
        r"the arms differ on only \1 (\2), which is too sparse for sign flips alone, so the interval is widened \3",
    rf"{_IN_NONE}: the interval is approximate, and may be too narrow":
        r"the arms differ on none of \1, so the interval is approximate and may be too narrow",
    rf"{_IN_FEW}: the interval is approximate, and may be too narrow":
        r"the arms differ on only \1, so the interval is approximate and may be too narrow",
    r"only (\d+ (?:cluster|pair)s?): no p-value can reach (\S+); at least (\d+) are needed":
        r"with only \1, no p-value can reach \2; at least \3 are needed",
    r"only (\d+ (?:cluster|pair)s?): p-values go in steps of (.+)":
        r"with only \1, p-values go in steps of \2",
    r"only (\d+ (?:cluster|pair)s?): (the .+)":
        r"with only \1, \2",
    r"(fewer than \d+ clusters): (rely on .+|bootstrap intervals .+)":
        r"with \1, \2",
    r"one cluster: (no test and no interval|no standard error) can be computed":
        r"with one cluster, \1 can be computed",
    r"no pair: (no item .+)":
        r"no pair, because \1",
    r"(.+): no interval can be computed":
        r"\1, so no interval can be computed",
    r"cannot reach (\S+): (the smallest possible p is .+)":
        r"p cannot reach \1; \2",
    r"too sparse for the flips alone: .+ counts \((.+)\), and p is the larger of both":
        rf"too sparse for sign flips alone: the interval has the wider limits of {_BOTH} (\1), "
        r"and p is the larger of the two",
    r"hull of the sign flips' interval and of the score interval on effective counts":
        f"the wider limits of {_BOTH}",
    r"infinite: the (\w+) alone is never right, so there is no upper limit":
        r"the odds ratio is infinite and has no upper limit, because there is no pair in which only the \1 is right",
    r"inversion of the sign flips":
        "interval by inverting the sign-flip test",
    r"(?:the|sign) flips alone would reject (.+), the score test .*":
        r"sign flips alone would reject \1, but the score test on effective counts would not",
}  # fmt: skip
"""What statistics write, as a pattern, and what pages write instead."""


def plain(remark: str) -> str:
    """Return a remark in plain words; one that is plain already stays as it is.

    Examples
    --------
    >>> plain("hull of the sign flips' interval and of the score interval on effective counts")
    'the wider limits of the sign flips and of the score test on effective counts'
    >>> plain("ignores the pairing")
    'ignores the pairing'
    """
    if found_many := _many(remark):
        return found_many
    for pattern, words in _PLAIN.items():
        if found := re.fullmatch(pattern, remark):
            return found.expand(words)
    return remark


def _many(remark: str) -> str | None:
    """Return a remark on data that are sparse though many clusters differ; None for any other."""
    found, widened = remarked(remark), _WIDENED.fullmatch(remark)
    if found is None or widened is None or found.why == "few":
        return None
    if found.why == "alike":
        said = f"all {found.of} {found.units} have the same mean difference, which sign flips alone cannot judge"
    else:
        ways = f"{found.differ} of {found.of} {found.units}, upwards in {found.gains} and downwards in {found.losses}"
        said = f"the arms differ on {ways}, which is too much one way for sign flips alone"
    return f"{said}, so the interval is widened {widened[1]}"
