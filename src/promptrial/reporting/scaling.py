"""Scores as shares of their range, so that every table can speak of percent and percentage points. Pure.

A document holds scores as they are. Where a measure has another range than 0 to 1, what is shown of it is a share of
the range: on 0 to 10 a mean of 6.5 is 65%, and a difference of -0.5 is -5 points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from promptrial.documents.many_arms import PooledEffect, Ranking, Simultaneous, Trend
from promptrial.documents.significance import (
    DETECTABLE,
    SCORE_QUANTITIES,
    ArmMean,
    Endpoint,
    Estimate,
    Significance,
    StatsSettings,
)

__all__ = ["as_shares"]

_Row = TypeVar("_Row", bound=msgspec.Struct)
_OfMetric = TypeVar("_OfMetric", Simultaneous, Ranking, Trend, PooledEffect)
_EFFECT: Final = ("difference", "ci_low", "ci_high")
_BOUNDS: Final = ("low", "high")
_BOUNDS_OF_CI: Final = ("ci_low", "ci_high")
_ESTIMATE: Final = ("estimate", "ci_low", "ci_high")
_FIGURES: Final = frozenset({"margin", "se", "se_naive", DETECTABLE})
"""Further numbers of an estimate that are on the scale of the scores."""
_NO_SCORES: Final = frozenset({*_EFFECT, "n_pairs", "p"})


def as_shares(significance: Significance) -> Significance:
    """Return a document with the scores of every measure as shares of its range; itself where all go from 0 to 1."""
    ranges = {name: each for name, each in significance.settings.ranges.items() if each != (0.0, 1.0)}
    if not ranges:
        return significance
    return msgspec.structs.replace(
        significance,
        settings=_settings(significance.settings, ranges),
        endpoints=tuple(
            _endpoint(row, *ranges[row.metric]) if row.metric in ranges else row for row in significance.endpoints
        ),
        estimates=tuple(
            _estimate(row, ranges[row.metric]) if row.metric in ranges and row.quantity in SCORE_QUANTITIES else row
            for row in significance.estimates
        ),
        interactions=tuple(
            _widths(row, ranges[row.metric], (*_EFFECT, "se")) if row.metric in ranges else row
            for row in significance.interactions
        ),
        simultaneous=_each(significance.simultaneous, ranges, lambda row, at: _widths(row, at, _EFFECT)),
        rankings=_each(significance.rankings, ranges, _ranking),
        trends=_each(significance.trends, ranges, lambda row, at: _widths(row, at, ("slope", *_BOUNDS_OF_CI))),
        pooled=_each(significance.pooled, ranges, _pooled),
    )


def _each(
    rows: tuple[_OfMetric, ...] | UnsetType,
    ranges: Mapping[str, tuple[float, float]],
    shares: Callable[[_OfMetric, tuple[float, float]], _OfMetric],
) -> tuple[_OfMetric, ...] | UnsetType:
    """Return rows of many arms as shares, where there are any."""
    if rows is UNSET:
        return rows
    return tuple(shares(row, ranges[row.metric]) if row.metric in ranges else row for row in rows)


def _ranking(row: Ranking, score_range: tuple[float, float]) -> Ranking:
    return msgspec.structs.replace(
        row,
        arms=tuple(_places(each, score_range, ("mean",)) for each in row.arms),
        pairs=tuple(_widths(each, score_range, _EFFECT) for each in row.pairs),
    )


def _pooled(row: PooledEffect, score_range: tuple[float, float]) -> PooledEffect:
    width = score_range[1] - score_range[0]
    scaled = _widths(row, score_range, (*_EFFECT, "se"))
    return msgspec.structs.replace(scaled, tau2=None if row.tau2 is None else row.tau2 / width**2)


def _settings(settings: StatsSettings, ranges: Mapping[str, tuple[float, float]]) -> StatsSettings:
    margins = {
        name: margin / (ranges[name][1] - ranges[name][0]) if name in ranges else margin
        for name, margin in settings.tost_margins.items()
    }
    return replace(settings, tost_margins=margins)


def _estimate(row: Estimate, score_range: tuple[float, float]) -> Estimate:
    low, high = score_range
    figures = {
        name: value / (high - low) if name in _FIGURES and value is not None else value
        for name, value in row.figures.items()
    }
    return msgspec.structs.replace(_widths(row, score_range, _ESTIMATE), figures=figures)


def _endpoint(row: Endpoint, low: float, high: float) -> Endpoint:
    scores = ("mean", "ci_low", "ci_high", "mean_paired")
    means = {
        name: _places(value, (low, high), scores)
        for name, value in msgspec.structs.asdict(row).items()
        if isinstance(value, ArmMean)
    }
    sensitivity = row.missing_sensitivity
    if sensitivity is not None:
        of_arms = [name for name, value in msgspec.structs.asdict(sensitivity).items() if isinstance(value, float)]
        sensitivity = _places(sensitivity, (low, high), [name for name in of_arms if name not in _NO_SCORES])
        sensitivity = _widths(sensitivity, (low, high), _EFFECT)
    return msgspec.structs.replace(
        _widths(row, (low, high), _EFFECT),
        bounds=_widths(row.bounds, (low, high), _BOUNDS),
        missing_sensitivity=sensitivity,
        **means,
    )


def _widths(row: _Row, score_range: tuple[float, float], names: Iterable[str]) -> _Row:
    """Return a row with differences of scores as shares of the width of the range."""
    low, high = score_range
    return _changed(row, {name: value / (high - low) for name, value in _numbers(row, names)})


def _places(row: _Row, score_range: tuple[float, float], names: Iterable[str]) -> _Row:
    """Return a row with scores as their places in the range, from 0 to 1."""
    low, high = score_range
    return _changed(row, {name: (value - low) / (high - low) for name, value in _numbers(row, names)})


def _numbers(row: msgspec.Struct, names: Iterable[str]) -> list[tuple[str, float]]:
    return [(name, value) for name in names if (value := getattr(row, name)) is not None]


def _changed(row: _Row, values: Mapping[str, float]) -> _Row:
    return msgspec.structs.replace(row, **values)
