"""Whether the results on disk are those of the whole run as it is now. Reads records, and no answer or table."""

from __future__ import annotations

from typing import Final, Literal

from promptrial import registry
from promptrial.care.opened import ReadRun
from promptrial.care.status import read_status
from promptrial.engine.facts import receipt_of, upstream_of
from promptrial.errors import PromptrialError
from promptrial.model import Trial
from promptrial.model.units import Unit
from promptrial.phases.base import Phase
from promptrial.phases.work import part_names
from promptrial.reporting.facts import UnfinishedFacts
from promptrial.reporting.warned import Warned, unfinished_warning
from promptrial.store.records import RunState

__all__ = ["Results", "has_whole_page", "unfinished", "unfinished_warnings"]

Results = Literal["scores", "effects"]
"""Which results of a trial are meant."""
_WRITES_PAGES: Final = [*registry.PHASES][-1]


def _made_by(results: Results) -> tuple[Phase, ...]:
    """Return the phases that make results from answers, the last of them last."""
    from promptrial.phases import parse, score, stats

    return (parse.PHASE, score.PHASE, stats.PHASE) if results == "effects" else (parse.PHASE, score.PHASE)


def unfinished(found: ReadRun, trial: Trial, results: Results = "effects") -> UnfinishedFacts | None:
    """Return what to say about results that are there; None where they are those of the whole trial as it is now.

    They are not once the sample has grown, requests have no answer on record, or a phase before them has made something
    else since. A newer version of the program alone changes nothing: the answers are the same.
    """
    state = found.opened.state
    reset = state is not None and state.phases[_made_by(results)[-1].name].status == "not_started"
    if not (reset or _lacks_answers(found, trial) or _made_from_others(found, trial, results)):
        return None
    try:
        status = read_status(found.spec.run)
    except PromptrialError:  # a state that is lost: how many answers there are is not known without it
        return UnfinishedFacts(None, None, grown=bool(found.spec.growth))
    return UnfinishedFacts(status.rows, status.expected_rows, grown=bool(found.spec.growth))


def unfinished_warnings(found: ReadRun, trial: Trial, results: Results = "effects") -> tuple[Warned, ...]:
    """Return the warning that results are not those of the whole trial as it is now, if they are not."""
    facts = unfinished(found, trial, results)
    return () if facts is None else (unfinished_warning(facts),)


def has_whole_page(state: RunState) -> bool:
    """Whether ``report.html``, if it is there, is that of the whole run as its state has it."""
    return state.phases[_WRITES_PAGES].status == "completed"


def _lacks_answers(found: ReadRun, trial: Trial) -> bool:
    parts = found.services.manifest(trial.slug).parts
    names = [name for _, name in part_names(found.spec, (trial,))]
    return any(name not in parts or parts[name].results is None for name in names)


def _made_from_others(found: ReadRun, trial: Trial, results: Results) -> bool:
    """Whether a phase was made from artifacts that are not those which are on record now."""
    unit = Unit(trial.slug)
    for phase in _made_by(results):
        receipt = receipt_of(found.spec, found.services, phase, unit)
        if receipt is None:
            return True
        now = upstream_of(found.spec, found.services, phase, unit)
        if any(receipt.inputs.get(name) != digest for name, digest in now.items()):
            return True
    return False
