"""Bands of figures that are not known exactly."""

from __future__ import annotations

import pytest

from promptrial.costs.bands import NOTHING, Band


def test_bands_are_added_limit_by_limit() -> None:
    assert sum([Band(1, 2, 4), Band(10, 20, 40)], NOTHING) == Band(11, 22, 44)


def test_a_band_is_scaled_by_a_price_or_a_count() -> None:
    assert Band(1, 2, 4).scaled(0.5) == Band(0.5, 1, 2)


def test_a_known_figure_has_no_width() -> None:
    assert Band.exactly(3).is_exact
    assert not Band(1, 2, 2).is_exact


def test_a_band_contains_its_limits() -> None:
    band = Band(1, 2, 4)
    assert 1 in band
    assert 4 in band
    assert 0.9 not in band
    assert 4.1 not in band


@pytest.mark.parametrize("wrong", [(2, 1, 4), (1, 5, 4), (-1, 0, 1), (0, float("nan"), 1)])
def test_a_band_out_of_order_is_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="not in order"):
        Band(*wrong)
