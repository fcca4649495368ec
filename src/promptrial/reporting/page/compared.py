"""Two texts compared word by word, in a time that grows with their length, whatever they say. Pure.

Words are compared; the spaces between them are not. Texts with many words are first divided at runs of words that occur
once in each of them and are in the same order in both. The patience diff of Bram Cohen divides files at such lines.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from promptrial.reporting.page.markup import shown

__all__ = ["MOST_PAIRS", "compared_words"]

MOST_PAIRS: Final = 40_000
"""Pairs of words that are compared at once, such as 200 words with 200. Where two passages between common runs of words
have more, the whole of each is marked as removed and added."""
_RUNS: Final = (8, 3, 1)
"""Words in the runs at which texts are divided, one length after the other."""
_WORD: Final = re.compile(r"\S+\s*|^\s+")


class _Span(NamedTuple):
    """Places of words in the earlier text, and in the later one; the ends do not belong to it."""

    a: int
    a_end: int
    b: int
    b_end: int

    @property
    def pairs(self) -> int:
        return (self.a_end - self.a) * (self.b_end - self.b)


def compared_words(before: str, after: str) -> str:
    """Return a text as HTML with the words that are new in it, and those that are gone, marked.

    Without what is marked as gone, it is the later text, with the spaces of that. See ``MOST_PAIRS`` for what is marked
    as a whole. Time and memory grow with the number of words n as n log n.
    """
    old, new = _WORD.findall(before), _WORD.findall(after)
    common = _common([each.strip() for each in old], [each.strip() for each in new])
    parts, at_a, at_b = [], 0, 0
    for a, b, n in (*common, (len(old), len(new), 0)):
        parts.append(_gone(old[at_a:a], new[max(at_b - 1, 0) : at_b], new[at_b : at_b + 1]))
        parts += [_come(new[at_b:b]), shown("".join(new[b : b + n]))]
        at_a, at_b = a + n, b + n
    return "".join(parts)


def _gone(words: Sequence[str], before: Sequence[str], after: Sequence[str]) -> str:
    """Return words that are gone, with a space to the later text before them and after them."""
    text = "".join(words)
    first = " " if before and not before[0][-1].isspace() else ""
    last = " " if after and not text[-1:].isspace() else ""
    return f"<del>{first}{shown(text)}{last}</del>" if text else ""


def _come(words: Sequence[str]) -> str:
    """Return words that are new; the spaces after the last are not marked."""
    text = "".join(words)
    inside = text.rstrip()
    return f"<ins>{shown(inside)}</ins>{shown(text[len(inside) :])}" if inside else shown(text)


def _common(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield where equal words begin in each text, and how many, in order; adjacent runs are joined."""
    a = b = n = 0
    for span in _divided(old, new):
        for block in _blocks(old, new, span):
            if (block[0], block[1]) == (a + n, b + n):
                n += block[2]
            else:
                yield a, b, n
                a, b, n = block
    yield a, b, n


def _divided(old: Sequence[str], new: Sequence[str]) -> Iterable[_Span]:
    """Return both texts as spans, divided at common runs of words where they are too large to be compared at once."""
    spans = [_Span(0, len(old), 0, len(new))]
    for length in _RUNS:
        spans = [
            part
            for span in spans
            for part in (_divided_at(old, new, span, length) if span.pairs > MOST_PAIRS else [span])
        ]
    return spans


def _divided_at(old: Sequence[str], new: Sequence[str], span: _Span, length: int) -> Iterator[_Span]:
    """Yield the parts of a span: each begins at a run of so many words that is common, except for the first."""
    places, ends = _once(old, span.a, span.a_end, length), _once(new, span.b, span.b_end, length)
    found = _rising([(at, ends[run]) for run, at in places.items() if run in ends])
    marks = [(span.a, span.b), *found, (span.a_end, span.b_end)]
    for (a, b), (a_end, b_end) in pairwise(marks):
        yield _Span(a, a_end, b, b_end)


def _once(words: Sequence[str], first: int, end: int, length: int) -> dict[tuple[str, ...], int]:
    """Return where each run of words begins that occurs once, in order."""
    runs = [tuple(words[at : at + length]) for at in range(first, end - length + 1)]
    counts = Counter(runs)
    return {run: at for at, run in enumerate(runs, first) if counts[run] == 1}


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return as many pairs as possible of which the second places rise too; the first ones rise already."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for at, (_, place) in enumerate(pairs):
        rank = bisect_left(ends, place)
        before.append(last[rank - 1] if rank else -1)
        ends[rank : rank + 1], last[rank : rank + 1] = [place], [at]
    found, at = [], last[-1] if last else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]


def _blocks(old: Sequence[str], new: Sequence[str], span: _Span) -> Iterator[tuple[int, int, int]]:
    """Yield the equal words of a span: those at its start, at its end, and between them if that is not too much."""
    start = _equal(zip(old[span.a : span.a_end], new[span.b : span.b_end], strict=False))
    yield span.a, span.b, start
    a, b = span.a + start, span.b + start
    end = _equal(zip(reversed(old[a : span.a_end]), reversed(new[b : span.b_end]), strict=False))
    rest = _Span(a, span.a_end - end, b, span.b_end - end)
    if 0 < rest.pairs <= MOST_PAIRS:
        inner = difflib.SequenceMatcher(None, old[rest.a : rest.a_end], new[rest.b : rest.b_end], autojunk=False)
        yield from ((a + block.a, b + block.b, block.size) for block in inner.get_matching_blocks())
    yield rest.a_end, rest.b_end, end


def _equal(pairs: Iterable[tuple[str, str]]) -> int:
    """Return how many pairs are equal before the first that is not."""
    n = 0
    for one, other in pairs:
        if one != other:
            break
        n += 1
    return n
