"""Changed: the items whose exact match differs between the arms, as a list. A phase, as an example.

It comes after ``score``, reads what that made, and writes ``results/changed.csv`` and ``.parquet``.
"""

from __future__ import annotations

from typing import Final

from promptrial.model import Trial
from promptrial.phases.base import Phase, Produced
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store.tables import Column, TableWriter, read_batches

__all__ = ["PHASE"]

_READ: Final = ("item_key", "temp", "condition", "em")
_WRITTEN: Final[tuple[Column, ...]] = (
    ("item_key", "text"),
    ("temp", "category"),
    ("control", "float"),
    ("treatment", "float"),
)


def _run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
    results = spec.run.trial(trial.slug).results
    scores: dict[tuple[str, str], dict[str, float]] = {}
    for batch in read_batches(results / "per_item_scores.parquet", _READ):
        services.stop.check()
        for item, temp, condition, score in zip(*(batch.column(name).to_pylist() for name in _READ), strict=True):
            if score is not None:
                scores.setdefault((item, temp), {})[condition] = score
    with TableWriter(results / "changed", _WRITTEN) as table:
        for (item, temp), arms in scores.items():
            if len(arms) == len(trial.conditions) and len(set(arms.values())) > 1:
                table.append((item, temp, arms["control"], arms["treatment"]))
    return Produced(dict(table.records()))


PHASE = Phase(name="changed", reads=("score",), run_trial=_run)
