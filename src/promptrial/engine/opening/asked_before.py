"""By which configuration the answers on disk were asked for, and whether any were."""

from __future__ import annotations

import itertools

from promptrial.engine.facts import phases
from promptrial.engine.opening.found import OnRecord
from promptrial.engine.opening.opened import Opened
from promptrial.engine.origin import holds_answers
from promptrial.phases.base import Phase
from promptrial.phases.spec import AskedBy

__all__ = ["asked_by", "asked_nothing"]


def asked_by(opened: Opened) -> AskedBy:
    """Return by which configuration the answers on disk were asked for, as far as the state tells, or the trials.

    Once a change was forced, requests may have been built that nobody has asked yet, beside answers to earlier ones;
    when all parts were submitted after that, the answers are to the requests on disk. Whether a change was ever forced
    is not known either where nothing says what the run was started with.
    """
    state, origin, drift = opened.state, opened.origin, opened.changes.drift
    if origin is None:
        return "unknown"
    forced = origin.drift
    if not forced:
        return "earlier" if drift else "this"
    if state is None:
        return "unknown"
    first = _first_to_ask()
    built = max(state.phases[name].updated_at or "" for name in first.reads)
    submitted = state.phases[first.name]
    if submitted.status != "completed" or (submitted.updated_at or "") < built:
        return "unknown"
    return "earlier" if drift or built < forced[-1]["at"] else "this"


def asked_nothing(found: OnRecord) -> bool:
    """Whether nothing was asked by what a run was started with: it may then still be corrected."""
    if found.origin.drift:
        return False
    first = _first_to_ask()
    known = list(itertools.dropwhile(lambda entry: entry[0] != first.name, found.state.known_phases.items()))
    return not any(phase.status == "completed" for _, phase in known) and not holds_answers(found.run)


def _first_to_ask() -> Phase:
    """Return the first phase that asks anything: those before it are made again at no cost."""
    return next(phase for phase in phases() if phase.content_addressed)
