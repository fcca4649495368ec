"""Whether the answers on disk are to the requests of the present configuration, and whether there are any."""

from __future__ import annotations

import itertools

from promptrial.engine.facts import phases
from promptrial.engine.opening.found import OnRecord
from promptrial.engine.opening.opened import Opened
from promptrial.engine.origin import holds_answers
from promptrial.phases.base import Phase

__all__ = ["asked_nothing", "requests_unchanged"]


def requests_unchanged(opened: Opened) -> bool:
    """Whether answers on disk are to the requests as they are built now, as far as the state tells, or the trials.

    Once a change was forced, requests may have been built that nobody has asked yet, beside answers to earlier ones;
    when all parts were submitted after that, the answers are to the requests on disk. Whether a change was ever forced
    is not known either where nothing says what the run was started with.
    """
    state, origin = opened.state, opened.origin
    if origin is None or opened.changes.drift:
        return False
    forced = origin.drift
    if not forced:
        return True
    if state is None:
        return False
    first = _first_to_ask()
    built = max(state.phases[name].updated_at or "" for name in first.reads)
    submitted = state.phases[first.name]
    return submitted.status == "completed" and (submitted.updated_at or "") >= built >= forced[-1]["at"]


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
