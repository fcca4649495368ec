"""A plan prices what it will ask as the run will: by the tier of the longest request that it would write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrial.costs import catalogue
from tests.support.project import Project

TIERED = "anthropic/claude-sonnet-4-5"


def planned(project: Project) -> dict[str, Any]:
    outcome = project.call("plan", "--run_id", "new", "--dry_run", "--json")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    return found


@pytest.fixture
def tiered(project: Project) -> Project:
    project.write_config({"provider": "anthropic", "models": {"m1": TIERED}, "pricing": None, "temps": [0.0]})
    return project


def test_the_plan_uses_the_lower_price_for_short_prompts_before_anything_is_written(
    tiered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = planned(tiered)["prices"]
    assert line.startswith("models.m1: 3 USD in, 15 USD out, per million tokens, 50% off (genai-prices ")
    assert "; above 200,000 tokens in a prompt: 6 USD in, 22.5 USD out" in line
    low = planned(tiered)["quote"]["usd"]["expected"]
    real = catalogue._tier_starts
    monkeypatch.setattr(catalogue, "_tier_starts", lambda prices: (10 for _ in real(prices)))
    monkeypatch.setattr(catalogue, "_rate", lambda rate, above: _dearer(rate) if above >= 10 else _cheaper(rate))
    high = planned(tiered)["quote"]["usd"]["expected"]
    assert 1.4 * low < high < 2.1 * low


def _cheaper(rate: Any) -> Any:
    return getattr(rate, "base", rate)


def _dearer(rate: Any) -> Any:
    return rate.tiers[-1].price if hasattr(rate, "tiers") else rate
