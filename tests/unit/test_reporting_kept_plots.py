"""Plots of known figures are drawn as they were when somebody last looked at them."""

from __future__ import annotations

import json

import pytest

from tests.support.kept_plots import KEPT, drawn

PLOTS = json.loads(KEPT.read_text(encoding="utf-8"))


def test_every_plot_is_kept() -> None:
    assert list(drawn()) == list(PLOTS)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_drawn_as_it_was_kept(name: str) -> None:
    assert drawn()[name] == PLOTS[name]
