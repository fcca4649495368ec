"""Which cap a run goes by: the one that was given last."""

from __future__ import annotations

import pytest

from promptrial.config.spending import SpendingConfig
from promptrial.engine.caps import caps_of, with_part_limit
from promptrial.store.change_records import SpendingCaps

NONE = SpendingConfig()


def configured(usd: float) -> SpendingConfig:
    return SpendingConfig(max_usd=usd)


@pytest.mark.parametrize(
    ("given", "spending", "expected"),
    [(None, NONE, None), (2.0, NONE, 2.0), (None, configured(3.0), 3.0), (2.0, configured(3.0), 2.0)],
)
def test_a_new_run_uses_the_cap_of_the_flag_or_else_of_the_configuration(
    given: float | None, spending: SpendingConfig, expected: float | None
) -> None:
    assert caps_of(given, spending, None).max_usd == expected


def test_a_flag_is_remembered_until_another_cap_is_given() -> None:
    first = caps_of(2.0, configured(3.0), None)
    resumed = caps_of(None, configured(3.0), first)
    assert resumed == first
    assert caps_of(5.0, configured(3.0), resumed).max_usd == 5.0
    assert caps_of(None, configured(4.0), resumed).max_usd == 4.0


def test_a_configured_cap_is_kept_if_the_configuration_no_longer_states_it() -> None:
    first = caps_of(None, SpendingConfig(max_usd=3.0, month_max_usd=9.0), None)
    own_copy = caps_of(None, NONE, first)
    assert (own_copy.max_usd, own_copy.month_max_usd) == (3.0, 9.0)


def test_a_part_can_reserve_a_tenth_of_the_smaller_cap() -> None:
    assert with_part_limit(SpendingCaps(max_usd=5.0, month_max_usd=2.0)).part_usd == pytest.approx(0.2)
    assert with_part_limit(SpendingCaps(max_usd=5.0)).part_usd == pytest.approx(0.5)
    assert with_part_limit(SpendingCaps(part_usd=0.5)).part_usd is None
