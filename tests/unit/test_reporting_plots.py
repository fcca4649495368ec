"""Plots: that they are whole SVG, say in words what they show, and draw each figure where it belongs."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import msgspec
import pytest

from promptrial.documents.missing import ArmAttrition
from promptrial.reporting.plots.bars import Changed, attrition_plot, changed_plot, costs_plot
from promptrial.reporting.plots.canvas import COLOURS, CONTROL_COLOUR, colour_of
from promptrial.reporting.plots.forest import ForestRow, forest, forest_of, forest_rows
from promptrial.reporting.plots.frame import key_rows
from promptrial.reporting.plots.power import power_plot
from promptrial.reporting.plots.scores import ArmPoint, distribution_plot, histogram, selective_plot
from promptrial.reporting.powered import PowerCurve, PowerPoint
from promptrial.stats.attrition import arm_attrition
from tests.unit.test_reporting_pages import document, endpoint, looked_at

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '<script>alert("x")</script>\x1b[31m\u202eabc & "quoted"'


def parsed(svg: str) -> ET.Element:
    root = ET.fromstring(svg)  # noqa: S314 - the program's own
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    return root


def texts(root: ET.Element) -> list[str]:
    return [each.text or "" for each in root.iter(f"{SVG}text")]


def description(root: ET.Element) -> str:
    return root.findtext(f"{SVG}desc") or ""


def number(shape: ET.Element, name: str) -> float:
    return float(shape.get(name, "nan"))


def row(**changes: object) -> ForestRow:
    values: dict[str, object] = {
        "label": "Exact match", "means": ("30.0%", "45.0%"), "shown": "+15.0 (+9.0 to +21.0)", "n": 100,
        "estimate": 15.0, "low": 9.0, "high": 21.0,
    }  # fmt: skip
    return ForestRow(**(values | changes))  # type: ignore[arg-type]


def power_curve(**changes: object) -> PowerCurve:
    points = [PowerPoint(n, 0.1, (0.2 * at, 0.1 + 0.2 * at)) for at, n in enumerate((25, 50, 100, 200, 400))]
    return replace(PowerCurve(endpoint(), 0.05, 1, "", (0.03, 0.06), tuple(points)), **changes)  # type: ignore[arg-type]


def attrition(answered: int, empty: int = 0, truncated: int = 0) -> ArmAttrition:
    return arm_attrition(104, answered, {}, empty, truncated)


def test_a_forest_plot_has_each_effect_as_a_row_of_figures_and_says_it_in_words() -> None:
    found = document(endpoint(), endpoint("f1"))
    rows = forest_rows(found, found.endpoints, found.arm_names)
    root = parsed(forest(rows, 0.95, sides=("plain.txt", "terse.txt")))
    assert "Exact match: +15.0 (+9.0 to +21.0); Token F1: " in description(root)
    assert {"Exact match", "30.0%", "45.0%", "+15.0 (+9.0 to +21.0)", "100"} <= {*texts(root)}
    assert "terse.txt minus plain.txt, points, 95% CI" in texts(root)


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_an_interval_is_drawn_from_limit_to_limit_with_the_estimate_between(layout: str) -> None:
    root = parsed(forest([row()], 0.95, narrow=layout == "narrow"))
    mark = next(root.iter(f"{SVG}rect"))
    lines = [each for each in root.iter(f"{SVG}line") if each.get("stroke") == COLOURS[0]]
    across = max(lines, key=lambda each: number(each, "x2") - number(each, "x1"))
    middle = number(mark, "x") + number(mark, "width") / 2
    left, right = number(across, "x1"), number(across, "x2")
    assert (middle - left) / (right - left) == pytest.approx(0.5, abs=0.02), "the estimate is in the middle of 9 to 21"


def test_axes_and_labels_are_fainter_than_the_figures() -> None:
    root = parsed(forest([row()], 0.95))
    faint = {each.text: each.get("opacity") for each in root.iter(f"{SVG}text")}
    assert (faint["difference"], faint["30.0%"]) == ("0.7", None)


def test_the_axis_is_symmetric_about_zero_and_ends_at_a_round_number() -> None:
    ends = {text for text in texts(parsed(forest([row()], 0.95))) if text[:1] in {"+", "-"} and " " not in text}
    assert {"-25", "+25"} <= ends
    tiny = texts(parsed(forest([row(estimate=0.1, low=-0.1, high=0.3)], 0.95)))
    assert "+5" in tiny, "a tiny effect does not fill the plot"


def test_the_axis_reaches_to_a_margin_that_is_wider_than_every_interval() -> None:
    assert "+100" in texts(parsed(forest([row(margin=60.0)], 0.95)))


def test_a_row_has_the_estimate_and_the_limits_of_its_endpoint_in_points() -> None:
    [found] = forest_rows(document(endpoint()), [endpoint()], ["control", "treatment"])
    assert (found.low, found.estimate, found.high) == pytest.approx((9.0, 15.0, 21.0))


def test_the_level_of_the_plot_is_that_of_the_stopping_rule_where_it_decides_every_row() -> None:
    ruled = document(looks=looked_at(0.025))
    names = {"control": "plain.txt", "treatment": "terse.txt"}
    plot = parsed(forest_of(ruled, [endpoint()], names))
    assert "terse.txt minus plain.txt, points, 97.5% CI" in texts(plot)
    both = parsed(forest_of(ruled, [endpoint(), endpoint("f1")], names))
    assert "terse.txt minus plain.txt, points, 95% CI" in texts(both)
    assert texts(both).count("97.5% CI") == 1
    assert "Exact match (97.5% CI): +15.0" in description(both)


@pytest.mark.parametrize("narrow", [False, True])
def test_a_declared_margin_is_drawn_on_both_sides_beside_its_own_effect_alone(narrow: bool) -> None:
    root = parsed(forest([row(), row(margin=5.0), row()], 0.95, narrow=narrow))
    lines = [each for each in root.iter(f"{SVG}line") if each.get("stroke") == "#e69f00"]
    _, mark, _ = (number(each, "y") + number(each, "height") / 2 for each in root.iter(f"{SVG}rect"))
    assert len(lines) == 2
    assert all(number(each, "y1") < mark < number(each, "y2") < mark + 17 for each in lines)


def test_on_a_phone_a_row_has_name_means_effect_and_number_of_pairs() -> None:
    assert {"Exact match", "n 100", "45.0% against 30.0%: +15.0 (+9.0 to +21.0)"} <= {
        *texts(parsed(forest([row()], 0.95, narrow=True)))
    }
    in_words = row(means=("3.0 words", "2.5 words"), shown="-0.50 (-1.00 to 0.00) words")
    assert "2.5 against 3.0: -0.50 (-1.00 to 0.00) words" in texts(parsed(forest([in_words], 0.95, narrow=True)))


def test_an_effect_without_an_estimate_says_so_and_an_exploratory_one_is_drawn_as_a_ring() -> None:
    root = parsed(forest([row(estimate=None, low=None, high=None), row(primary=False)], 0.95))
    assert "no estimate" in texts(root)
    assert [each.get("fill") for each in root.iter(f"{SVG}circle")] == ["none"]


def test_an_interval_that_leaves_the_axis_ends_in_an_arrow() -> None:
    root = parsed(forest([row(low=-140.0, high=140.0)], 0.95))
    assert len([*root.iter(f"{SVG}polyline")]) == 2


@pytest.mark.parametrize(
    "svg",
    [
        forest([row(label=HOSTILE, shown=HOSTILE)], 0.95, sides=(HOSTILE, HOSTILE)),
        forest([row(label=HOSTILE, shown=HOSTILE)], 0.95, narrow=True),
        attrition_plot({HOSTILE: attrition(100)}),
        costs_plot({HOSTILE: 1.0}),
        distribution_plot(HOSTILE, {HOSTILE: [0.5, 0.5]}, 0.0, 1.0),
        selective_plot([ArmPoint(HOSTILE, 0.5, 0.5)]),
        power_plot([power_curve(where=HOSTILE)]),
    ],
    ids=["forest", "narrow", "attrition", "costs", "distribution", "selective", "power"],
)
def test_hostile_text_is_text_in_every_plot(svg: str) -> None:
    root = parsed(svg)
    assert not [*root.iter(f"{SVG}script")]
    assert not {"\x1b", "\u202e"} & {*svg}


def test_the_changes_plot_is_one_bar_with_proportional_parts() -> None:
    root = parsed(changed_plot(Changed(fixed=30, broken=10, both_right=40, both_wrong=20)))
    bars = {each.get("fill"): number(each, "width") for each in root.iter(f"{SVG}rect") if each.get("y") == "6.0"}
    assert bars["#009e73"] / bars["#d55e00"] == pytest.approx(3, rel=0.05)
    assert description(root) == "30 fixed, 40 both right, 20 both wrong and 10 broken."
    named = {text for text in texts(root) if text}
    assert named == {"30 fixed", "40 both right", "20 both wrong", "10 broken"}
    small = parsed(changed_plot(Changed(fixed=1, broken=0, both_right=999, both_wrong=0), legend=False))
    assert texts(small) == ["999 both right"], "a part that is too small for its name has none"


def test_the_changes_plot_says_that_it_sums_temperatures() -> None:
    counts = dict.fromkeys(("fixed", "broken", "both_right", "both_wrong", "missing"), 7)
    assert Changed.of(counts, "em").title == "What changed in Exact match"
    assert Changed.of(counts, "em", 2).title == (
        "What changed in Exact match (each question once at each of 2 temperatures)"
    )


def test_items_without_answers_in_both_arms_are_a_part_of_the_changes_plot() -> None:
    found = Changed.of(
        {"fixed": 5, "broken": 2, "both_right": 55, "both_wrong": 40, "missing": 98, "not_applicable": 9}
    )
    root = parsed(changed_plot(found, legend=False))
    assert description(root) == "5 fixed, 55 both right, 40 both wrong, 2 broken and 98 missing."
    assert "98 missing" in texts(root)


def test_an_exploratory_measure_without_a_pair_has_no_row() -> None:
    empty = msgspec.structs.replace(endpoint("f1"), n_pairs=0, difference=None, ci_low=None, ci_high=None)
    found = document(endpoint(), empty)
    assert [each.label for each in forest_rows(found, found.endpoints, found.arm_names)] == ["Exact match"]
    alone = document(empty)
    assert len(forest_rows(alone, alone.endpoints, alone.arm_names)) == 1


def test_a_margin_is_named_below_the_axis() -> None:
    captions = [
        next(text for text in texts(parsed(forest([each], 0.95))) if "minus" in text)
        for each in (row(), row(margin=5.0))
    ]
    assert [each.endswith("; dashes: margin") for each in captions] == [False, True]


def test_the_outcomes_of_requests_add_up_to_the_requests() -> None:
    root = parsed(attrition_plot({"control": attrition(100, 3, 7), "treatment": attrition(104)}))
    assert "control: 93 complete, 7 truncated, 3 empty and 1 failed" in description(root)
    assert {"93", "7", "104"} <= {*texts(root)}, "in the parts that are wide enough, and in all"
    assert not {"3", "1"} & {*texts(root)}


def test_an_arm_of_unknown_cost_has_no_bar_and_says_so() -> None:
    root = parsed(costs_plot({"control": 0.5, "treatment": None}))
    assert "unknown" in texts(root)
    assert len([*root.iter(f"{SVG}rect")]) == 1


def test_a_histogram_holds_every_score_once() -> None:
    assert histogram([0.0, 0.05, 0.999, 1.0, 1.0], 0.0, 1.0, bins=10) == [0.4, *[0.0] * 8, 0.6]
    assert histogram([], 0.0, 1.0, bins=2) == [0.0, 0.0]


def test_coverage_and_accuracy_are_plotted_on_axes_from_zero_to_one() -> None:
    root = parsed(selective_plot([ArmPoint("control", 0.0, 0.0), ArmPoint("treatment", 1.0, 1.0)]))
    first, second = root.iter(f"{SVG}circle")
    assert number(first, "cx") < number(second, "cx")
    assert number(first, "cy") > number(second, "cy")


def test_the_control_is_grey_and_treatments_keep_their_colours() -> None:
    assert [colour_of(index) for index in range(4)] == [CONTROL_COLOUR, *COLOURS[:3]]


def test_two_plots_on_a_page_have_different_ids() -> None:
    first, second = (parsed(forest([row()], 0.95, name=name)) for name in ("wide", "small"))
    ids = [each.get("id") for root in (first, second) for each in root.iter() if each.get("id")]
    assert len(ids) == len({*ids})


def test_a_power_curve_has_each_power_where_its_axes_say_and_marks_the_run_and_80_percent() -> None:
    root = parsed(power_plot([power_curve()]))
    at = {text.text: (number(text, "x"), number(text, "y") - 4) for text in root.iter(f"{SVG}text")}
    nought, full = at["0%"][1], at["100%"][1]
    for curve, first in zip(root.iter(f"{SVG}polyline"), (0.0, 0.1), strict=True):
        points = [tuple(map(float, pair.split(","))) for pair in (curve.get("points") or "").split()]
        assert [x for x, _ in points] == pytest.approx([at[n][0] for n in ("25", "50", "100", "200", "400")], abs=0.11)
        heights = [nought + (full - nought) * (first + 0.2 * step) for step in range(5)]
        assert [y for _, y in points] == pytest.approx(heights, abs=0.11)
    dashed = [each for each in root.iter(f"{SVG}line") if each.get("stroke-dasharray")]
    assert {number(each, "x1") for each in dashed if each.get("x1") == each.get("x2")} == {at["this run: 100"][0]}
    assert [number(each, "y1") for each in dashed if each.get("y1") == each.get("y2")] == pytest.approx([at["80%"][1]])
    assert "3 points: 40% with 100 questions, 80% with 400 and 6 points: 50% with 100 questions" in description(root)


def test_the_axis_of_questions_goes_from_the_left_of_a_power_plot_to_its_right() -> None:
    root = parsed(power_plot([power_curve()], width=500))
    at = {text.text: number(text, "x") for text in root.iter(f"{SVG}text")}
    assert 0 < at["25"] < 100
    assert at["400"] == pytest.approx(480)
    assert at["100"] == pytest.approx((at["25"] + at["400"]) / 2, abs=0.11)


@pytest.mark.parametrize("narrow", [False, True])
def test_a_forest_plot_is_high_enough_for_all_of_its_lines_and_not_much_higher(narrow: bool) -> None:
    for count in (1, 9):
        root = parsed(forest([row()] * count, 0.95, narrow=narrow))
        lowest = max(number(each, "y") for each in root.iter(f"{SVG}text"))
        height = float((root.get("viewBox") or "").split()[3])
        assert lowest < height < lowest + 40


def test_every_line_of_a_plot_is_labelled_and_labels_stay_inside() -> None:
    arms = ["control", "treatment", "a_very_long_name_of_an_arm", "short", "another_long_name"]
    shares = {arm: [0.25, 0.75] for arm in arms}
    root = parsed(distribution_plot("Words", shares, 0.0, 10.0, width=336))
    assert {"control", "treatment", "a_very_long_name_of\u2026", "short"} <= {*texts(root)}
    lines = [*root.iter(f"{SVG}polyline")]
    samples, drawn = lines[: len(arms)], lines[len(arms) :]
    looks = [(each.get("stroke"), each.get("stroke-dasharray")) for each in samples]
    assert looks == [(each.get("stroke"), each.get("stroke-dasharray")) for each in drawn]
    assert len({*looks}) == len(arms)
    assert key_rows(arms, 336) > key_rows(arms, 2000) == 1
    assert description(root).startswith(
        "Distribution of Words by arm. The most common scores: 5 to 10 in the control arm (75%)"
    )


@pytest.mark.parametrize("width", [336, 560])
def test_plots_have_the_requested_width(width: int) -> None:
    point = ArmPoint("control", 0.9, 0.5)
    for svg in (
        power_plot([power_curve()], width=width),
        selective_plot([point], width=width),
        distribution_plot("Words", {"control": [1.0]}, 0.0, 1.0, width=width),
        attrition_plot({"control": attrition(100)}, width=width),
        costs_plot({"control": 1.0, "treatment": 0.3}, width=width),
    ):
        root = parsed(svg)
        assert number(root, "width") == width
        ends = [number(each, "x") + number(each, "width") for each in root.iter(f"{SVG}rect")]
        ends += [number(each, "x2") for each in root.iter(f"{SVG}line")]
        assert max(ends, default=0) <= width


def test_long_figures_beside_a_forest_plot_are_smaller_and_means_omit_their_unit() -> None:
    long = row(
        means=("0.00003000 USD", "0.00002700 USD"),
        shown="-0.00000300 (-0.00000320 to -0.00000280) USD",
    )
    sizes = {each.text: number(each, "font-size") for each in parsed(forest([long], 0.95)).iter(f"{SVG}text")}
    assert (sizes["0.00003000"], sizes["0.00002700"]) == (13, 13)
    assert 7 < sizes[long.shown] < 9
    usual = {each.text: number(each, "font-size") for each in parsed(forest([row()], 0.95)).iter(f"{SVG}text")}
    assert (usual["30.0%"], usual["+15.0 (+9.0 to +21.0)"]) == (13, 12)
