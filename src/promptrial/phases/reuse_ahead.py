"""Which answers a run will take over, before it does so: for its plan. Reads only; asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from promptrial import registry
from promptrial.design.prompts import requests_of
from promptrial.errors import PromptrialError
from promptrial.jobs.work import PartWork
from promptrial.model import Item, ModelSpec
from promptrial.phases.planned_parts import PlannedPart
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.providers.request_rows import encode_request_row, row_id

__all__ = ["reusable_ahead"]


def reusable_ahead(spec: RunSpec, services: Services, items: Sequence[Item]) -> Callable[[PlannedPart], frozenset[str]]:
    """Return a function that returns the wire ids of those requests of a part that another run has answered.

    ``items`` are all that are planned: some of them may be asked again on purpose (``rechecking``).

    Who is asked is compared as far as that is known without a call: the model always, account and host of jobs at a
    provider whose key is here, and the engine of a run that was started.

    Raises
    ------
    UsageError, CorruptRecordError
        If a run cannot lend answers.
    """
    if not spec.terms.reuse:
        return lambda _part: frozenset()
    from promptrial.phases.rechecking import withheld
    from promptrial.phases.reuse import completeness, lendable  # these a plan without it does not need
    from promptrial.phases.stored_rows import StoredRows

    lent, known = lendable(spec), dict[ModelSpec, StoredRows]()
    again = {trial.slug: withheld(spec, trial, items) for trial in spec.trials}

    def reusable(part: PlannedPart) -> frozenset[str]:
        model = part.work.model
        if model not in known:
            engine = _engine(spec, services, part.work)
            known[model] = StoredRows([each for each in lent if not each.why_not(model, engine)])
        requests = requests_of(part.work.part, part.members.items, part.trial)
        is_complete = completeness(model, spec.config.models[model.alias].think_tags)
        found = known[model].found(map(encode_request_row, requests), is_complete)
        return frozenset(row_id(row) for _, row in found) - again[part.trial.slug].keys()

    return reusable


def _engine(spec: RunSpec, services: Services, work: PartWork) -> Mapping[str, Any] | None:
    """Return the fingerprint of who is asked, as recorded or as an adapter of jobs tells it; None if unknown."""
    if work.engine:
        return work.engine
    if spec.dry_run or not registry.load("provider", work.model.adapter).jobs:
        return None
    try:
        return services.provider(work.model.provider).fingerprint(work.model)
    except PromptrialError:  # without a key, which a plan does not need
        return None
