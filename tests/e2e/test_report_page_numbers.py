"""Every figure of ``report.html`` is one of ``significance.json`` or ``costs.json``, and stands where it belongs."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from promptrial.providers.request_rows import RequestRow
from promptrial.reporting.cells import amount, count, effect, p_value, points, points_decimals, rate
from tests.support import fake_provider
from tests.support.page_reader import ReadPage, read_page
from tests.support.page_runs import ordinary_run, small_project

LABELS = {
    "em": "Exact match",
    "f1": "Token F1",
    "abstain_rate": "Abstention",
    "false_answer_rate": "False answers",
    "unsupported_rate": "Unsupported claims",
}


@dataclass
class Pages:
    """The page of a run, and the documents that it is made of."""

    root: Path

    @cached_property
    def page(self) -> ReadPage:
        return read_page((self.root / "report.html").read_text("utf-8"))

    @cached_property
    def statistics(self) -> Any:
        (path,) = self.root.glob("*/results/significance.json")
        return json.loads(path.read_bytes())

    @cached_property
    def costs(self) -> Any:
        (path,) = self.root.glob("*/results/costs.json")
        return json.loads(path.read_bytes())

    def endpoints(self, scope: str = "overall") -> list[dict[str, Any]]:
        return [row for row in self.statistics["endpoints"] if row["scope"] == scope]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """A run in which two requests of the control failed."""
    failed: list[str] = []

    def fail_some(row: RequestRow) -> None:
        if "control" in row.custom_id and len(failed) < 2:
            failed.append(row.custom_id)
            fake_provider.FAILING.add(row.custom_id)

    with small_project(tmp_path_factory.mktemp("numbers")) as project:
        fake_provider.BEFORE_ROW.append(fail_some)
        stats = {"primary": ["f1", "em"], "tost_margins": {"em": 0.3}, "permutation_samples": 999}
        project.write_config({"stats": stats})
        outcome = project.run()
        fake_provider.BEFORE_ROW.clear()
        fake_provider.FAILING.clear()
        assert outcome.code == 0, outcome.err
        yield Pages(project.run_root())


def shown(row: dict[str, Any]) -> dict[str, str]:
    """Return the cells of an endpoint, from the document alone."""
    decimals = points_decimals(row["ci_low"], row["ci_high"])
    return {
        "Pairs": count(row["n_pairs"]),
        "Control": rate(row["control"]["mean_paired"], decimals),
        "Treatment": rate(row["treatment"]["mean_paired"], decimals),
        "Difference": effect(row["difference"], row["ci_low"], row["ci_high"]),
        "Adjusted p": p_value(row["p_adjusted"]),
    }


def cells(row: dict[str, str]) -> dict[str, str]:
    """Return the same cells as the page shows them."""
    (difference,) = (cell for head, cell in row.items() if head.startswith("Difference"))
    return {name: row[name] for name in ("Pairs", "Control", "Treatment", "Adjusted p")} | {"Difference": difference}


def test_effect_tables_have_the_figures_of_the_document(made: Pages) -> None:
    primary = made.statistics["settings"]["primary"]
    for title, is_primary in (("Primary endpoints", True), ("Exploratory endpoints", False)):
        rows = [row for row in made.endpoints() if (row["metric"] in primary) == is_primary]
        found = {row["Measure"]: cells(row) for row in made.page.table(title)}
        assert found == {LABELS[row["metric"]]: shown(row) for row in rows}


@pytest.mark.parametrize(("title", "scope"), [("By data set", "dataset"), ("By item type", "type")])
def test_tables_of_subsets_have_the_figures_of_the_document(made: Pages, title: str, scope: str) -> None:
    found = [(row["Measure"], cells(row)) for row in made.page.table(title)]
    assert found == [(LABELS[row["metric"]], shown(row)) for row in made.endpoints(scope)]


def test_missing_answers_and_costs_have_the_figures_of_their_documents(made: Pages) -> None:
    for row in made.page.table("Requests"):
        of = made.statistics["attrition"][row["Arm"]]
        assert [row["Requests"], row["Answered"], row["Unanswered"]] == [
            count(of["expected"]), count(of["answered"]), count(of["missing"])]  # fmt: skip
    arms = {row["Arm"]: row for row in made.page.table("Costs")}
    assert set(arms) == {"control", "treatment", "both"}
    for name, cost in (*made.costs["conditions"].items(), ("both", made.costs)):
        assert arms[name]["USD"] == amount(cost["usd"])
        assert arms[name]["Prompt tokens"] == count(cost["prompt_tokens"])
        assert arms[name]["USD per exact match"] == amount(cost["usd_per_correct"])


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_the_forest_plot_says_the_effects_and_draws_them_where_its_axis_says(made: Pages, layout: str) -> None:
    plot = made.page.plot(f"forest-{layout}")
    said, texts = plot.every("desc")[0].text, [(each.text, each.attributes) for each in plot.every("text")]
    ticks = {float(text): float(at["x"]) for text, at in texts if text.lstrip("+-").replace(".", "").isdigit()
             and at["text-anchor"] == "middle"}  # fmt: skip
    low, high = min(ticks), max(ticks)

    def place(share: float) -> float:
        return ticks[low] + (ticks[high] - ticks[low]) * (100 * share - low) / (high - low)

    lines = [each.attributes for each in plot.every("line")]
    drawn = [at for at in lines if at["y1"] == at["y2"] and at["stroke"] != "currentColor"]
    limits = [row for row in made.endpoints() if row["ci_low"] is not None]
    assert limits
    assert all(f"{LABELS[row['metric']]}: {shown(row)['Difference']}" in said for row in limits)
    for end, share, cut in (("x1", "ci_low", max), ("x2", "ci_high", min)):
        wanted = sorted(place(cut(row[share], (low if cut is max else high) / 100)) for row in limits)
        assert sorted(float(at[end]) for at in drawn) == pytest.approx(wanted, abs=0.11)
    primary = [row for row in made.endpoints() if row["metric"] in made.statistics["settings"]["primary"]]
    marks = [float(each.attributes["x"]) + float(each.attributes["width"]) / 2 for each in plot.every("rect")]
    assert marks == pytest.approx([place(row["difference"]) for row in primary], abs=0.11)


def test_the_verdict_has_the_figures_of_the_document(made: Pages) -> None:
    for verdict, metric in zip(made.page.root.every("p", "verdict"), ("em", "f1"), strict=True):
        (row,) = (row for row in made.endpoints() if row["metric"] == metric)
        assert f"{count(row['n_pairs'])} questions" in verdict.text
        assert f"{points(row['difference'])} points" in verdict.text
        assert f"CI {points(row['ci_low'])} to {points(row['ci_high'])}" in verdict.text


def test_power_curves_begin_with_the_detectable_differences_of_the_document(tmp_path: Path) -> None:
    """Scores are shares: a difference in points is a hundred times that of the document."""
    made = Pages(ordinary_run(tmp_path).parent)
    name, primary = "detectable_at_80_percent_power", made.statistics["settings"]["primary"]
    rows = [row for row in made.statistics["estimates"] if row["scope"] == "overall" and name in row["figures"]]
    wanted = {LABELS[row["metric"]]: row for row in rows if row["metric"] in primary and row["figures"][name]}
    assert set(wanted) == {"Exact match"}
    (details,) = made.root.glob("*/reports/details.md")
    said = re.sub(" +", " ", details.read_text())
    for number, (label, row) in enumerate(wanted.items(), 1):
        table, points = made.page.table(f"Power: {label}"), f"{100 * row['figures'][name]:.1f} points"
        assert [each["Questions"] for each in table][2] == f"this run: {row['n_pairs']}"
        assert table[2]["Detectable at 80% power"] == points
        assert table[2][f"Power for {points}"] == "80%"
        assert f"80% with {row['n_pairs']} questions".replace("80%", f"{points}: 80%") in (
            made.page.plot(f"power-{number}").every("desc")[0].text
        )
        assert "| " + " | ".join([*table[4].values()][:3]) + " |" in said, "the same figures stand in details.md"
    assert (details.parent / "power.svg").read_text().count("this run: ") == len(wanted)


def test_distributions_are_drawn_from_the_scores_and_repeated_in_a_table(made: Pages) -> None:
    (path,) = made.root.glob("*/results/per_item_scores.csv")
    rows = [*csv.DictReader(path.read_text().splitlines())]
    table = made.page.table("Distribution of Token F1")
    for arm in ("control", "treatment"):
        scores = [float(row["f1"]) for row in rows if row["condition"] == arm and row["f1"]]
        for each in table:
            low, high = map(float, each["Token F1"].split(" to "))
            inside = sum(low <= score < high or score == high == 1 for score in scores)
            assert each[arm] == rate(inside / len(scores))


def test_coverage_and_selective_accuracy_are_drawn_from_the_document(made: Pages) -> None:
    said = made.page.plot("selective").every("desc")[0].text
    values = {(row["metric"], row["quantity"]): row["estimate"] for row in made.statistics["selective"]
              if row["scope"] == "overall"}  # fmt: skip
    for arm in ("control", "treatment"):
        coverage, accuracy = values["coverage", arm], values["selective_accuracy", arm]
        assert f"{arm} answers {rate(coverage)} of the questions and gets {rate(accuracy)} of those right" in said


def test_the_changes_section_counts_the_pairs_of_the_document(made: Pages) -> None:
    links = {each.text.split(" ", 1)[1]: int(each.text.split()[0]) for each in made.page.root.every("a")
             if "outcome=" in each.attributes["href"]}  # fmt: skip
    (row,) = (row for row in made.endpoints() if row["metric"] == "em")
    assert sum(links.values()) == row["n_pairs"]
    assert links["fixed"] - links["broken"] == pytest.approx(row["difference"] * row["n_pairs"])
    assert links["both right"] + links["broken"] == pytest.approx(row["control"]["mean_paired"] * row["n_pairs"])


def test_each_id_is_unique_and_each_link_within_the_page_has_a_target(made: Pages) -> None:
    names = ("h1", "h2", "section", "div", "title", "desc", "select", "input", "button", "span", "dialog")
    every = [each for name in names for each in made.page.root.every(name)]
    ids = [each.attributes["id"] for each in every if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    links = [each.attributes["href"] for each in made.page.root.every("a")]
    assert [link for link in links if "=" not in link and link[1:] not in ids] == []
    named = [name for svg in made.page.root.every("svg") for name in svg.attributes["aria-labelledby"].split()]
    assert set(named) <= set(ids)
