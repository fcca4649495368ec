"""Plots of known figures, as they were last looked at: ``python -m tests.support.kept_plots`` keeps them again.

Look at a plot that is drawn otherwise before it is kept: a pixel that moved shows in no other test.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from promptrial.reporting.curves import Curve, as_svg, as_text
from promptrial.reporting.plots.arms import arms_plots
from promptrial.reporting.plots.bars import Changed, attrition_plot, changed_plot, costs_plot
from promptrial.reporting.plots.forest import ForestRow, forest
from promptrial.reporting.plots.power import power_plot
from promptrial.reporting.plots.scores import ArmPoint, distribution_plot, selective_plot
from promptrial.stats.analysis import analyse
from promptrial.stats.attrition import arm_attrition
from tests.support.score_tables import trial_table
from tests.unit.test_reporting_plots import power_curve, row
from tests.unit.test_reporting_ranks import ARMS, NAMES, SETTINGS

__all__ = ["KEPT", "drawn"]

KEPT: Final = Path(__file__).parents[1] / "data/plots.json"


def drawn() -> dict[str, list[str]]:
    """Return each plot as lines."""
    rows: list[ForestRow] = [
        row(primary=True),
        row(label="Token F1", estimate=-3.0, low=-9.0, high=3.0, shown="-3.0 (-9.0 to +3.0)", primary=False),
        row(label="Length", estimate=None, low=None, high=None, shown="\u2013", primary=False),
    ]
    plots = {f"forest, {name}": forest(rows, 0.95, narrow=name == "narrow") for name in ("wide", "narrow")}
    plots["power"] = power_plot([power_curve()])
    plots["changed"] = changed_plot(Changed(14, 6, 40, 20, 5, "em", 2))
    plots["attrition"] = attrition_plot({"control": arm_attrition(104, 100, {"timeout": 4}, 2, 1)})
    plots["costs"] = costs_plot({"control": 0.5, "treatment": None, "long": 0.8})
    shares = {"control": [0.1, 0.2, 0.7], "treatment": [0.5, 0.3, 0.2]}
    plots["distribution"] = distribution_plot("Words", shares, 0.0, 30.0)
    plots["selective"] = selective_plot([ArmPoint("control", 0.4, 0.9), ArmPoint("treatment", 0.8, 0.7)])
    curve = Curve(
        "Power of the test", "questions", "power", ((25.0, 0.1), (50.0, 0.45), (100.0, 0.9)), 0.8, ("25", "100")
    )
    plots |= {"curve": as_svg(curve), "curve, text": as_text(curve)}
    ranked = analyse(trial_table(240, effect=0.6, arms=ARMS), SETTINGS)
    plots |= {f"arms, {name}": arms_plots(ranked, NAMES, narrow=name == "narrow")[0] for name in ("wide", "narrow")}
    return {name: svg.replace("><", ">\n<").splitlines() for name, svg in plots.items()}


if __name__ == "__main__":
    KEPT.write_text(json.dumps(drawn(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
