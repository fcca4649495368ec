"""Small score tables for tests of the statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from promptrial.stats.pairing import CONTROL, TREATMENT, PairedSample, ScoreTable, pair_scores

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
        condition=np.repeat([CONTROL, TREATMENT], n),
        temp=np.full(2 * n, temp),
        n_samples=(~np.isnan(scores)).astype(np.int64),
        metrics={metric: scores},
    )


def sample_of(
    control: Sequence[float],
    treatment: Sequence[float],
    *,
    metric: str = "em",
    cluster: Sequence[int] | None = None,
    graded: bool | None = None,
    score_range: tuple[float, float] | None = None,
) -> PairedSample:
    """The overall sample of ``table_of``, of a scorer that declares what the scores are, unless told otherwise."""
    scores = [score for score in (*control, *treatment) if not math.isnan(score)]
    if graded is None:
        graded = not {*scores} <= {0, 1}
    if score_range is None:
        score_range = min([0.0, *scores]), max([1.0, *scores])
    table = table_of(control, treatment, metric=metric, cluster=cluster)
    return pair_scores(table, metric, 0.0, graded=graded, score_range=score_range).sample()


def trial_table(
    n_items: int = 240, *, seed: int = 5, effect: float = 0.5, temps: Sequence[float] = (0.0,), lost: float = 0.05
) -> ScoreTable:
    """A made-up trial with every metric: half open-book (four items a passage, half unanswerable), half closed-book."""
    rng = np.random.default_rng(seed)
    item = np.arange(n_items)
    is_open = item < n_items // 2
    cluster = np.where(is_open, item // 4, item)
    unanswerable = is_open & (item % 2 == 0)
    ability = rng.normal(size=n_items) + rng.normal(size=n_items)[cluster]
    rows = [
        _arm(rng, ability + effect * arm, is_open, unanswerable, lost) for _ in temps for arm in (CONTROL, TREATMENT)
    ]
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
        condition=np.tile(np.repeat([CONTROL, TREATMENT], n_items), len(temps)),
        temp=np.repeat(np.array(temps, dtype=np.float64), 2 * n_items),
        n_samples=(~np.isnan(columns["em"])).astype(np.int64),
        metrics=columns,
        worst={
            "em": np.zeros(n_items),
            "f1": np.zeros(n_items),
            "abstain_rate": np.where(unanswerable, 0.0, 1.0),
            "false_answer_rate": np.where(unanswerable, 1.0, np.nan),
            "unsupported_rate": np.where(is_open, 1.0, np.nan),
        },
    )


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
