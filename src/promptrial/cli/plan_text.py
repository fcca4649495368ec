"""The plan as people read it: sections, each a function from what is planned to its lines, none wider than a terminal.

A section that has nothing to say returns no line. What has to be said about a plan is added as one more section.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from promptrial.cli import plan_quote
from promptrial.cli.figures import amount, count
from promptrial.cli.power_text import power_lines
from promptrial.documents.printable import escaped

if TYPE_CHECKING:
    from promptrial.comparison.planned_gates import PlannedGate
    from promptrial.engine.growing import Outlook
    from promptrial.engine.previewing import Planned

__all__ = ["WIDTH", "as_text", "gate_text"]

WIDTH: Final = 80
"""Columns of a terminal. A line is wider only where one word of it is, as a path may be."""
_INDENT: Final = "  "


def as_text(planned: Planned) -> str:
    """Return a plan for people."""
    lines = [line for section in SECTIONS for said in section(planned) for line in _wrapped(said)]
    return escaped("\n".join(lines)) + "\n"


def gate_text(gates: Sequence[PlannedGate]) -> str:
    """Return what the planned items can do for gates."""
    return escaped("".join(f"{line}\n" for gate in gates for line in _wrapped(str(gate))))


def _wrapped(text: str) -> Iterator[str]:
    """Yield the lines of a text; one that is too wide is continued below, indented."""
    for line in text.split("\n"):
        if len(line) <= WIDTH:
            yield line
            continue
        indent = line[: len(line) - len(line.lstrip())] + _INDENT
        yield from textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _heading(planned: Planned) -> list[str]:
    opened = planned.opened
    dry = ", dry run: hosted providers are emulated locally" if opened.dry_run else ""
    known = "new" if not opened.exists else "exists" if opened.state else "its state file is missing"
    lines = [
        f"run {opened.run.run_id} ({known}), {len(opened.trials)} trial{'' if len(opened.trials) == 1 else 's'}{dry}:"
    ]
    lines += [] if plan_quote.has_table(planned) else [f"  {trial.slug}" for trial in opened.trials]
    return lines + [f"  {line}" for line in (*planned.served, *planned.prices)]


def _phases(planned: Planned) -> list[str]:
    return [f"{action.phase:<8} {action}" for action in planned.actions]


def _jobs(planned: Planned) -> list[str]:
    return [*planned.limits, *(f"now {text}" for text in planned.awaited)]


def _power(planned: Planned) -> list[str]:
    return [] if planned.power is None else power_lines(planned.power)


def _looks(planned: Planned) -> list[str]:
    return list(planned.looks)


def _reuse(planned: Planned) -> list[str]:
    """Return what other runs have answered already, in requests and in money."""
    found = planned.quote
    if found is None or not found.requests.reused:
        return []
    saved = found.saved_usd
    money = "" if not saved else f", which saves about {amount(saved)} USD"
    new, reused = count(found.requests.new), count(found.requests.reused)
    return [f"asks {new} new requests; {reused} are already answered by other runs{money}"]


def _growth(planned: Planned) -> list[str]:
    return [] if planned.growth is None else [_grown(planned.growth)]


def _grown(growth: Outlook) -> str:
    """Return what the sample will gain, or why it cannot grow."""
    if growth.refused:
        return f"the sample would grow ({growth.change}); a resume would be refused: {growth.refused}"
    new = (
        "all items that are new"
        if growth.items is None
        else f"{growth.items} new items, {growth.requests} new requests"
    )
    return f"the sample grows ({growth.change}): {new}; no existing item is asked again"


def _checks(planned: Planned) -> list[str]:
    checked = planned.checked
    if checked is None:
        return []
    return [*checked.decided, *(f"note: {note}" for note in checked.notes)]


def _refusals(planned: Planned) -> list[str]:
    """Return what has to be fixed before the rest of the plan matters."""
    return [f"this run would be refused: {problem}" for problem in planned.checked.problems] if planned.checked else []


def _warnings(planned: Planned) -> list[str]:
    remark = [planned.opened.remark] if planned.opened.remark else []
    return remark + ([f"warning: {planned.copied}"] if planned.copied else [])


def _drift(planned: Planned) -> list[str]:
    if not planned.opened.changes.drift:
        return []
    lines = [f"  {line}" for line in planned.opened.changes.drift]
    return ["the configuration has changed; a resume would be refused without --force:", *lines]


SECTIONS: Final[tuple[Callable[[Planned], list[str]], ...]] = (
    _heading,
    _refusals,
    plan_quote.table,
    plan_quote.sources,
    _reuse,
    _power,
    _looks,
    _phases,
    _jobs,
    _growth,
    _checks,
    _warnings,
    _drift,
)
"""What a plan says, in this order."""
