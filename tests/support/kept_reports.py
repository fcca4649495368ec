"""Reports of known figures, as somebody last read them: ``python -m tests.support.kept_reports`` keeps them again.

Read what stands otherwise in the difference before it is committed: most of its sentences are in no other test.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.documents.judges import ArmJudged, JudgeSummary, PairBias
from promptrial.documents.labels import Agreement
from promptrial.documents.looks import LookRow, Looks
from promptrial.documents.significance import StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.reporting.details import trial_details
from promptrial.reporting.facts import (
    GrowthFacts,
    LatencyFacts,
    OlderFigure,
    OneControl,
    ReuseFacts,
    SealFacts,
    TrialFacts,
    TrialResult,
    UnfinishedFacts,
)
from promptrial.reporting.markdown import ChangedItem, WhatChanged, aggregate_report, trial_report
from promptrial.reporting.plots.bars import Changed
from promptrial.reporting.tables import primary_p_values
from promptrial.stats.analysis import analyse
from promptrial.stats.score_table import ScoreTable
from promptrial.stats.under_looks import under_looks
from tests.support.score_tables import trial_table
from tests.unit.test_reporting_aa import result as checked
from tests.unit.test_reporting_labels import EFFECT, judges, report
from tests.unit.test_reporting_pages import attrition, costs, facts
from tests.unit.test_reporting_plots import power_curve
from tests.unit.test_reporting_ranks import ARMS
from tests.unit.test_reporting_ranks import SETTINGS as RANKED
from tests.unit.test_reporting_second_ask import DRIFT
from tests.unit.test_stats_under_looks import seen

__all__ = ["KEPT", "written"]

KEPT: Final = Path(__file__).parents[1] / "data/reports.json"
_SETTINGS: Final = StatsSettings(
    primary=("em",),
    bootstrap_samples=50,
    permutation_samples=50,
    tost_margins={"em": 0.05},
    wanted={"em": "higher", "f1": "higher", "false_answer_rate": "lower"},
)


def written() -> dict[str, list[str]]:
    """Return each report as lines."""
    found = _two_arms() | _several_arms() | _looked_at()
    return {name: text.splitlines() for name, text in found.items()}


def _two_arms() -> dict[str, str]:
    """Return the reports of a trial of two arms at two temperatures, of which there is everything to say."""
    lost = {"control": attrition(103, {"timeout": 1}), "treatment": attrition(90, {"content_filter": 14}, 2, 20)}
    significance = analyse(_with(trial_table(104, effect=1.4, temps=(0.0, 0.7)), "em", "f1"), _SETTINGS, lost)
    agreement = Agreement(labels=(report(n_empty=3, effects=(EFFECT,)),), judges=(judges("em", "f1"),))
    result = TrialResult(_facts(), significance, costs(), agreement)
    item = ChangedItem("Why?", ("because",), (("no",), ("because",)))
    changed = WhatChanged(DEFAULT_CONTRAST, Changed(14, 6, 40, 20, 5, "em", 2), (item,), (item,))
    adjusted = {key: None if p is None else min(1.0, 2 * p) for key, p in primary_p_values([result]).items()}
    return {
        "two arms, details": trial_details(result.facts, significance, result.costs, [power_curve()], agreement),
        "two arms, report": trial_report(result, [changed]),
        "two arms, run": aggregate_report(result.facts.run, [result], adjusted),
    }


def _with(table: ScoreTable, *metrics: str) -> ScoreTable:
    """Return a table with some of its metrics alone."""
    return replace(table, metrics={name: table.metrics[name] for name in metrics}, roles={"accuracy": "em"})


def _facts() -> TrialFacts:
    base = facts()
    run = replace(
        base.run,
        dry_run=True,
        grown_late=(GrowthFacts({"squad": (50, 104)}),),
        corrected={"squad": 1},
        seal=SealFacts("a" * 64, ("analysis.alpha: sealed 0.05, now 0.01",)),
        pilot=10,
        unfinished=UnfinishedFacts(200, 208),
    )
    bias = PairBias(pairs=20, consistent=15, first=22, second=14, ties=4, longer=9, shorter=6)
    arms = {"control": ArmJudged(answers=104, scored=100, missing=4, repaired=2), "treatment": ArmJudged(answers=104)}
    judged = JudgeSummary(scorer="em", type="judge", model="m", provider="p", digest="d" * 64, arms=arms, bias=bias)
    return replace(
        base,
        run=run,
        trial=replace(base.trial, temps=(0.0, 0.7), samples_per_item={"0.0": 1, "0.7": 1}),
        prompt_names={"control": "plain.txt", "treatment": "terse.txt"},
        shared_requests=12,
        own_engines={"treatment": {"weights": "other.gguf"}},
        older=(OlderFigure("em", "control", 0.25, 104, 0.5, 100), OlderFigure("f1", "treatment", 0.5, 104, None, 0)),
        unsent=("temperature is not sent",),
        reused=(ReuseFacts("control", "earlier", 52, 104, 3), ReuseFacts("treatment", "other", 1, 104, None)),
        latency={"control": LatencyFacts(100, 0.25, 1.5), "treatment": LatencyFacts(1, 12.0, 12.0)},
        judges=("em",),
        judged=(judged,),
    )


def _several_arms() -> dict[str, str]:
    """Return the details of a trial of several arms, with their ranking, trend and data sets."""
    table = _with(trial_table(240, effect=0.6, arms=ARMS[:3]), "em")
    significance = analyse(table, RANKED, trend=ARMS[:3], pooled=True)
    result = TrialResult(facts(), significance, costs())
    together = OneControl(("first", "second"), significance, {name: f"{name}.txt" for name in ARMS[:3]}, {})
    run = replace(result.facts.run, seal=SealFacts("a" * 64))
    adjusted = primary_p_values([result])
    return {
        "several arms, details": trial_details(result.facts, significance, result.costs),
        "several arms, run": aggregate_report(run, [result], adjusted, [together], by_max_t=True),
    }


def _looked_at() -> dict[str, str]:
    """Return the reports of a trial that a rule ended early, whose control was compared with older answers and itself.

    Its first look shows a difference, which the second takes back.
    """
    wide: dict[str, Any] = {"level": 0.03, "n_pairs": 40, "n_clusters": 20, "reason": "efficacy"}
    narrow: dict[str, Any] = {"level": 0.03, "n_pairs": 90, "n_clusters": 50, "reason": "futility"}
    rows = (seen(0.02, 0.3, 0.02, **wide), seen(-0.02, 0.19, 0.1, **narrow))
    taken = tuple(LookRow(wave=at, items=52 * at, endpoints=(row,)) for at, row in enumerate(rows, 1))
    looks = Looks(
        rule="obrien_fleming", metric="em", alpha=0.05, efficacy=True, futility=0.25, waves_planned=3,
        items_planned=156, items=104, decision="stop", taken=taken,
        deviations=("small: its results were shown after look 1, before the rule had ended it",),
    )  # fmt: skip
    fixed = analyse(_with(trial_table(104), "em", "f1"), replace(_SETTINGS, primary=("em", "f1")), looked_at="em")
    asked_twice = checked(source="second_ask", other="control_again")
    significance = msgspec.structs.replace(under_looks(fixed, looks), aa=(asked_twice,), drift=(DRIFT,))
    result = TrialResult(facts(), significance, costs(price=None, unknown=3))
    return {
        "looked at, details": trial_details(result.facts, significance, result.costs),
        "looked at, report": trial_report(result, []),
    }


if __name__ == "__main__":
    KEPT.write_text(json.dumps(written(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
