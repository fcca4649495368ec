"""Small score tables for tests of the statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from promptrial.documents.scorers import Role
from promptrial.documents.significance import Significance
from promptrial.model.arms import DEFAULT_CONTRAST, PAIR, ArmName, Contrast
from promptrial.stats.pairing import BoolArray, PairedSample, ScoreTable, pair_scores

ROLES: Mapping[Role, str] = {"accuracy": "em", "abstention": "abstain_rate", "false_answer": "false_answer_rate"}
METRICS = ("em", "f1", "abstain_rate", "false_answer_rate", "unsupported_rate")


def table_of(
    control: Sequence[float],
    treatment: Sequence[float],
    *,
    metric: str = "em",
    cluster: Sequence[int] | None = None,
    dataset: Sequence[int] | None = None,
    temp: float = 0.0,
) -> ScoreTable:
    """One metric; NaN is an item without an answer in that arm. Items are their own clusters unless given."""
    n = len(control)
    scores = np.array([*control, *treatment], dtype=np.float64)
    datasets = np.tile(np.zeros(n, dtype=np.int64) if dataset is None else np.array(dataset), 2)
    return ScoreTable(
        item_keys=[f"set|{index}" for index in range(n)],
        dataset_names=[f"set{code}" for code in range(int(datasets.max(initial=0)) + 1)],
        type_names=("open", "closed"),
        item=np.tile(np.arange(n), 2),
        dataset=datasets,
        cluster=np.tile(np.arange(n) if cluster is None else np.array(cluster), 2),
        type=np.zeros(2 * n, dtype=np.int64),
        arm=np.repeat([0, 1], n),
        temp=np.full(2 * n, temp),
        n_samples=(~np.isnan(scores)).astype(np.int64),
        metrics={metric: scores},
        roles={role: name for role, name in ROLES.items() if name == metric},
        unanswerable=np.zeros(n, dtype=np.bool_),
    )


def sample_of(
    control: Sequence[float],
    treatment: Sequence[float],
    *,
    metric: str = "em",
    cluster: Sequence[int] | None = None,
    continuous: bool | None = None,
    score_range: tuple[float, float] | None = None,
) -> PairedSample:
    """The overall sample of ``table_of``, of a scorer that declares what the scores are, unless told otherwise."""
    scores = [score for score in (*control, *treatment) if not math.isnan(score)]
    if continuous is None:
        continuous = not {*scores} <= {0, 1}
    if score_range is None:
        score_range = min([0.0, *scores]), max([1.0, *scores])
    table = table_of(control, treatment, metric=metric, cluster=cluster)
    return pair_scores(table, metric, 0.0, DEFAULT_CONTRAST, continuous=continuous, score_range=score_range).sample()


def trial_table(
    n_items: int = 240,
    *,
    seed: int = 5,
    effect: float = 0.5,
    temps: Sequence[float] = (0.0,),
    lost: float = 0.05,
    arms: Sequence[ArmName] = PAIR,
) -> ScoreTable:
    """A made-up trial with every metric: half open-book (four items a passage, half unanswerable), half closed-book."""
    rng = np.random.default_rng(seed)
    item = np.arange(n_items)
    is_open = item < n_items // 2
    cluster = np.where(is_open, item // 4, item)
    unanswerable = is_open & (item % 2 == 0)
    ability = rng.normal(size=n_items) + rng.normal(size=n_items)[cluster]
    codes = range(len(arms))
    rows = [_arm(rng, ability + effect * arm, is_open, unanswerable, lost) for _ in temps for arm in codes]
    copies = len(rows)
    columns = {name: np.concatenate([row[name] for row in rows]) for name in METRICS}
    return ScoreTable(
        item_keys=[f"set|{index}" for index in range(n_items)],
        dataset_names=("passages", "trivia_a", "trivia_b"),
        type_names=("open", "closed"),
        item=np.tile(item, copies),
        dataset=np.tile(np.where(is_open, 0, 1 + item % 2), copies),
        cluster=np.tile(cluster, copies),
        type=np.tile(np.where(is_open, 0, 1), copies),
        arm=np.tile(np.repeat(codes, n_items), len(temps)),
        temp=np.repeat(np.array(temps, dtype=np.float64), len(arms) * n_items),
        n_samples=(~np.isnan(columns["em"])).astype(np.int64),
        metrics=columns,
        arm_names=arms,
        worst={
            "em": np.zeros(n_items),
            "f1": np.zeros(n_items),
            "abstain_rate": np.where(unanswerable, 0.0, 1.0),
            "false_answer_rate": np.where(unanswerable, 1.0, np.nan),
            "unsupported_rate": np.where(is_open, 1.0, np.nan),
        },
        roles=ROLES,
        unanswerable=unanswerable,
    )


def with_arms(table: ScoreTable, *names: ArmName) -> ScoreTable:
    """The same table with some of its arms alone, in this order."""
    place = {name: code for code, name in enumerate(names)}
    kept = np.isin(table.arm, [table.arm_names.index(name) for name in names])
    return _rows(
        table,
        kept,
        arm=np.array([place.get(name, -1) for name in table.arm_names])[table.arm[kept]],
        arm_names=names,
        planned_samples={
            (place[table.arm_names[code]], temp): n
            for (code, temp), n in table.planned_samples.items()
            if table.arm_names[code] in place
        },
    )


def of_contrast(document: Significance, contrast: Contrast) -> Significance:
    """The document with the rows of one contrast alone."""
    tables = ("endpoints", "tests", "estimates", "selective", "interactions")
    rows = {name: tuple(row for row in getattr(document, name) if row.compared == contrast) for name in tables}
    return msgspec.structs.replace(document, **rows)


def without_rows(table: ScoreTable, arm: ArmName) -> ScoreTable:
    """The same table as if an arm had not been run."""
    return _rows(table, ~table.rows_of(arm))


def _rows(table: ScoreTable, kept: BoolArray, **changed: Any) -> ScoreTable:
    names = ("item", "dataset", "cluster", "type", "arm", "temp", "n_samples")
    columns = {name: getattr(table, name)[kept] for name in names}
    metrics = {name: column[kept] for name, column in table.metrics.items()}
    deviations = {name: column[kept] for name, column in table.deviations.items()}
    return replace(table, **(columns | {"metrics": metrics, "deviations": deviations} | changed))


def _arm(
    rng: np.random.Generator,
    ability: np.ndarray[tuple[int], np.dtype[np.float64]],
    is_open: np.ndarray[tuple[int], np.dtype[np.bool_]],
    unanswerable: np.ndarray[tuple[int], np.dtype[np.bool_]],
    lost: float,
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    n = len(ability)
    latent = ability + rng.normal(size=n)
    abstains = latent < -0.7
    em = np.where(unanswerable, abstains, (latent > 0.5) & ~abstains).astype(np.float64)
    partial = np.round(rng.integers(0, 5, n) / rng.integers(5, 12, n), 15)
    scores = {
        "em": em,
        "f1": np.where(em == 1, 1.0, np.where(unanswerable | abstains, 0.0, partial)),
        "abstain_rate": abstains.astype(np.float64),
        "false_answer_rate": np.where(unanswerable, ~abstains, np.nan),
        "unsupported_rate": np.where(is_open, (latent < 0.2) & ~abstains, np.nan),
    }
    missing = rng.random(n) < lost
    return {name: np.where(missing, np.nan, column) for name, column in scores.items()}
