"""Whether answers that were taken over still hold: items asked again, against how they were scored before. Reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from promptrial.documents.drift import Drift
from promptrial.model import Trial
from promptrial.phases.scorers import made_by
from promptrial.phases.spec import RunSpec
from promptrial.store.recheck_records import Rechecked, read_rechecked

if TYPE_CHECKING:
    import numpy as np

    from promptrial.documents.significance import StatsSettings
    from promptrial.stats.score_table import ScoreTable

__all__ = ["drift_of"]


def drift_of(spec: RunSpec, trial: Trial, table: ScoreTable, settings: StatsSettings) -> tuple[Drift, ...]:
    """Return what each primary endpoint shows at each temperature; nothing where nothing was asked again.

    Raises
    ------
    CorruptRecordError
        If the record of the older scores is damaged.
    """
    results = spec.run.trial(trial.slug).results
    record = read_rechecked(results)
    if record is None or record.arm not in table.arm_names:
        return ()
    return tuple(_rows(record, made_by(results), table, settings))


def _rows(
    record: Rechecked, made: dict[str, dict[str, object]], table: ScoreTable, settings: StatsSettings
) -> Iterator[Drift]:
    from promptrial.stats.against_older import drift_row

    contrast = table.contrasts[0]
    for metric in settings.primary:
        for temp in table.temps:
            older = _older(record, made, table, metric, temp)
            if older is not None:
                runs = tuple(dict.fromkeys(source.run_id for source in record.sources))
                yield drift_row(table, metric, contrast, temp, older, settings, runs=runs, n_asked=record.items)


def _older(
    record: Rechecked, made: dict[str, dict[str, object]], table: ScoreTable, metric: str, temp: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return scores and numbers of answers by item; None where none can be compared.

    Those of another scorer are left out, and those of items that had another number of answers.
    """
    import numpy as np

    place = {key: at for at, key in enumerate(table.item_keys)}
    score, n = np.full(len(place), np.nan), np.zeros(len(place), dtype=np.int64)
    planned, known = table.planned(record.arm, temp), False
    for source in record.sources:
        if source.scorers.get(metric) != made.get(metric) or source.samples_per_item.get(repr(temp)) != planned:
            continue
        for row in source.rows:
            value = row.scores.get(metric)
            if float(row.temp) == temp and row.item_key in place and value is not None:
                score[place[row.item_key]], n[place[row.item_key]], known = value, row.n_samples, True
    return (score, n) if known else None
