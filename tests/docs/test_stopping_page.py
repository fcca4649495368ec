"""The page on stopping early says which p-values the looks ask for, as the bounds of the program are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from promptrial.stats.alpha_spending import SpendingRule, bounds, nominal_levels

PAGE: Final = (Path(__file__).parents[2] / "docs/stopping.md").read_text(encoding="utf-8")
TABLE: Final = PAGE.partition("| look |")[2].partition("\n\n")[0]
ROWS: Final = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| \d+ .*$", TABLE, re.MULTILINE)
]


def levels(rule: SpendingRule, looks: int) -> list[float]:
    return [float(level) for level in nominal_levels(bounds(rule, np.arange(1, looks + 1) / looks))]


@pytest.mark.parametrize(
    ("column", "rule", "looks"),
    [(1, "obrien_fleming", 5), (2, "pocock", 5), (3, "obrien_fleming", 10), (4, "pocock", 10)],
)
def test_the_table_of_levels_is_what_the_rules_spend(column: int, rule: SpendingRule, looks: int) -> None:
    assert f" `{rule}`, {looks} looks " in TABLE.splitlines()[0].split("|")[column - 1]
    found = ["below 0.0001" if level < 5e-5 else f"{level:.4f}" for level in levels(rule, looks)]
    assert [row[column] for row in ROWS if row[column]] == found


def test_the_first_of_ten_looks_needs_a_p_value_below_a_billionth() -> None:
    assert "at ten looks the first one for less than a billionth" in PAGE
    assert levels("obrien_fleming", 10)[0] < 1e-9
