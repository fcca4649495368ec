"""Plots of known figures are drawn as they were when somebody last looked at them."""

from __future__ import annotations

import json

import pytest

from tests.support.kept_plots import KEPT, drawn

PLOTS = json.loads(KEPT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plots() -> dict[str, list[str]]:
    return drawn()


def test_every_kind_of_plot_is_stored(plots: dict[str, list[str]]) -> None:
    assert list(plots) == list(PLOTS)


@pytest.mark.parametrize("name", PLOTS)
def test_a_drawn_plot_equals_the_stored_one(plots: dict[str, list[str]], name: str) -> None:
    assert plots[name] == PLOTS[name]
