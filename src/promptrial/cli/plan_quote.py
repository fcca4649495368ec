"""What a plan says about requests, tokens, money and time: one table, and where its figures come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from promptrial.cli.figures import amount, amounts, count, durations, tokens

if TYPE_CHECKING:
    from promptrial.costs.bands import Band
    from promptrial.costs.tokens import Estimated, TokenSource
    from promptrial.engine.previewing import Planned
    from promptrial.phases.quoted import Quote, Quoted, Requests

__all__ = ["has_table", "sources", "table"]

_WIDTH: Final = 80
_UNKNOWN: Final = "?"
_NONE: Final = "-"
_SOURCES: Final[dict[str, str]] = {
    "tokenizer": "counted with the model's own tokenizer",
    "answers": "measured on this run's answers",
    "default": "estimated from the characters sent",
}


class _Column(NamedTuple):
    """A column: its heading, what it says about an arm, and what of all; one that may be left out has a rank."""

    heading: str
    cell: Callable[[Quoted], str]
    total: Callable[[Quote], str]
    rank: int = 0


def has_table(planned: Planned) -> bool:
    """Whether anything is still to be asked, so that the trials are shown in a table."""
    return planned.quote is not None and bool(planned.quote.requests.new)


def table(planned: Planned) -> list[str]:
    """Return the table: the arms below their trial, and what they come to."""
    if planned.quote is None or not has_table(planned):
        return []
    found = planned.quote
    columns = _columns(found)
    rows = [[column.heading for column in columns], *([column.cell(arm) for column in columns] for arm in found.arms)]
    rows.append([column.total(found) for column in columns])
    names = ["", *(f"  {arm.arm}" for arm in found.arms), "total"]
    while len((lines := _aligned(names, rows))[0]) > _WIDTH and (least := _least(columns)) is not None:
        columns = [column for at, column in enumerate(columns) if at != least]
        rows = [[cell for at, cell in enumerate(row) if at != least] for row in rows]
    return [*_with_trials(lines, found.arms)]


def _columns(found: Quote) -> list[_Column]:
    kinds = [("new", "new"), ("answered", "done"), ("shared", "shared"), ("in_flight", "sent"), ("reused", "reused")]
    always = {"new", "answered", "shared"}
    counts = [_counts(name, heading) for name, heading in kinds if name in always or getattr(found.requests, name)]
    return [
        *counts,
        _Column("input", lambda arm: _tokens(arm, arm.input_tokens), lambda of: _in_all(of.input_tokens, tokens)),
        _Column("output", lambda arm: _tokens(arm, arm.output_tokens), lambda of: _in_all(of.output_tokens, tokens)),
        _Column("USD", _usd, _usd_in_all),
        _Column("(from-to)", lambda arm: "" if arm.usd is None else amounts(arm.usd), _range_in_all, 1),
        _Column("time", _time, lambda of: _UNKNOWN if of.seconds is None else durations(of.seconds), 2),
    ]


def _counts(name: str, heading: str) -> _Column:
    def of(requests: Requests) -> str:
        return count(getattr(requests, name))

    return _Column(heading, lambda arm: of(arm.requests), lambda found: of(found.requests))


def _tokens(arm: Quoted, estimated: Estimated | None) -> str:
    if not arm.requests.new:
        return _NONE
    return _UNKNOWN if estimated is None else tokens(estimated.tokens.expected)


def _in_all(band: Band | None, words: Callable[[float], str]) -> str:
    return _UNKNOWN if band is None else words(band.expected)


def _usd(arm: Quoted) -> str:
    if not arm.requests.new:
        return _NONE
    return _UNKNOWN if arm.usd is None else amount(arm.usd.expected)


def _usd_in_all(found: Quote) -> str:
    return _in_all(found.usd, amount)


def _range_in_all(found: Quote) -> str:
    return "" if found.usd is None else amounts(found.usd)


def _time(arm: Quoted) -> str:
    if not (arm.requests.new or arm.requests.in_flight):
        return _NONE
    return _UNKNOWN if arm.seconds is None else durations(arm.seconds)


def _least(columns: Sequence[_Column]) -> int | None:
    """Return the place of the column that is left out first."""
    ranked = [at for at, column in enumerate(columns) if column.rank]
    return max(ranked, key=lambda at: columns[at].rank, default=None)


def _aligned(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table: names to the left, cells to the right of their column; all are of one length."""
    first = max(map(len, names))
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        " ".join([f"{name:<{first}}", *(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))])
        for name, row in zip(names, rows, strict=True)
    ]


def _with_trials(lines: Sequence[str], arms: Sequence[Quoted]) -> Iterator[str]:
    """Yield the lines of a table with the name of each trial above its arms."""
    heading, *rows, total = lines
    yield heading
    for number, (arm, line) in enumerate(zip(arms, rows, strict=True)):
        if not number or arms[number - 1].trial != arm.trial:
            yield arm.trial
        yield line.rstrip()
    yield total.rstrip()


def sources(planned: Planned) -> list[str]:
    """Return what the figures of the table mean and where they come from; without it, what there is to say."""
    found = planned.quote
    if found is None:
        return [f"requests and costs are not known: {planned.unquoted}"] if planned.unquoted else []
    return [*_absent(found), *_again(found), *_nothing(found), *_token_sources(found), *_money(found), *_waits(found)]


def _absent(found: Quote) -> Iterator[str]:
    if found.absent:
        most = "" if found.items is None else f"at most {count(found.items)} items; "
        yield (
            f"the questions of {', '.join(found.absent)} are on the hub and not in the cache: {most}tokens, USD and "
            "time are not known until they are downloaded (run --to_step prepare)"
        )


def _again(found: Quote) -> Iterator[str]:
    for arm in found.asked:
        if arm.again:
            price = "" if arm.usd is None else f", about {amount(arm.usd.expected * arm.again / arm.requests.new)} USD"
            yield f"re-asks {count(arm.again)} requests of {arm.arm}{price}: {arm.why}"


def _nothing(found: Quote) -> Iterator[str]:
    if not found.requests.new and found.arms:
        asked = found.requests
        others = [(asked.shared, "shared"), (asked.reused, "reused"), (asked.in_flight, "sent, not answered yet")]
        more = "".join(f", {count(number)} {words}" for number, words in others if number)
        yield f"nothing is left to ask: {count(asked.answered)} requests are answered{more}"


def _token_sources(found: Quote) -> Iterator[str]:
    inputs = [arm.input_tokens for arm in found.asked if arm.input_tokens is not None]
    outputs = [arm.output_tokens for arm in found.asked if arm.output_tokens is not None]
    if found.input_tokens is None or found.output_tokens is None or not inputs:
        return
    given, taken = found.input_tokens, found.output_tokens
    yield (
        f"input tokens: {_words({each.source for each in inputs})} ({_range(given)}); "
        f"output: {_output_words({each.source for each in outputs})} ({_range(taken)})"
    )


def _range(band: Band) -> str:
    return f"range: {tokens(band.low)} to {tokens(band.high)} tokens"


def _words(kinds: Iterable[TokenSource]) -> str:
    return " or ".join(_SOURCES[kind] for kind in sorted(kinds))


def _output_words(kinds: Iterable[TokenSource]) -> str:
    words = _SOURCES | {"default": "estimated as a quarter of max_new_tokens"}
    return " or ".join(words[kind] for kind in sorted(kinds))


def _money(found: Quote) -> Iterator[str]:
    if found.unpriced:
        yield f"no price is known for {', '.join(found.unpriced)}: its cost is unknown, not 0"
    known = [arm.usd for arm in found.asked if arm.usd is not None]
    if found.unpriced and known:
        yield f"the other models cost about {amount(sum(usd.expected for usd in known))} USD"
    if found.reserve_usd and found.requests.new:
        yield f"USD: at most {amount(found.reserve_usd)}, if every answer has the maximum length"


def _waits(found: Quote) -> Iterator[str]:
    jobs = sum(arm.jobs for arm in found.asked if arm.seconds is not None)
    if jobs:
        yield (
            f"time: estimated for {count(jobs)} {'job' if jobs == 1 else 'jobs'}. Of 230,000 batches measured at a "
            "reseller, half finished within 7 min and 90% within 1 h; providers promise 24 h."
        )
    if any(arm.jobs and arm.seconds is None for arm in found.asked):
        yield "time of jobs that are run by hand: not known"
    if any(not arm.jobs and arm.seconds is None for arm in found.asked) and not found.absent:
        yield "time of requests sent one by one: not measured yet; a pilot measures it"
