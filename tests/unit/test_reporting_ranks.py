"""Several arms in words, tables and plots: which may be the best, and how the others compare."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any, Final

import msgspec
import pytest

from promptrial.documents.many_arms import PairOfArms, Ranking, RanksOfArm
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.reporting.plots.arms import arms_plots
from promptrial.reporting.ranked import can_rank, ranked_words
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables import Table, many_arms_tables, ranking_tables
from promptrial.reporting.verdict import comparison_verdict
from promptrial.stats.analysis import analyse
from tests.support.score_tables import trial_table

ARMS: Final = ("control", "terse", "cot", "plain", "length_matched")
NAMES: Final = {name: f"{name}.txt" for name in ARMS}
SETTINGS: Final = StatsSettings(bootstrap_samples=50, permutation_samples=50, wanted={"em": "higher"})


def ranking(arms: tuple[str, ...], *ahead: tuple[str, str], method: str | None = "sign_flips") -> Ranking:
    """A ranking in which the first of each pair in ``ahead`` is shown to be ahead of the second."""
    behind = {name: sum(second == name for _, second in ahead) for name in arms}
    beaten = {name: sum(first == name for first, _ in ahead) for name in arms}
    pairs = [(second, first) for at, first in enumerate(arms) for second in arms[at + 1 :]]
    return Ranking(
        metric="em",
        temp=0.0,
        confidence=0.95,
        arms=tuple(
            RanksOfArm(arm=name, mean=0.5, lowest=1 + behind[name], highest=len(arms) - beaten[name]) for name in arms
        ),
        best=tuple(name for name in arms if not behind[name]),
        pairs=tuple(
            PairOfArms(
                first=first,
                second=second,
                n_pairs=300,
                n_clusters=300,
                difference=0.1,
                ci_low=0.0,
                ci_high=0.2,
                ci_method=method,
                p=0.01,
                p_adjusted=0.02,
                ahead=next((one for one, other in ahead if {one, other} == {first, second}), None),
                reason=None,
            )
            for first, second in pairs
        ),
        flips=10_000,
        enumerated=False,
    )


def said(found: Ranking, wanted: Any = "higher") -> str:
    return "".join(ranked_words(found, NAMES, "exact match", wanted))


def test_the_ranking_names_two_possibly_best_arms_and_one_worse_than_both() -> None:
    found = ranking(("terse", "cot", "plain"), ("terse", "plain"), ("cot", "plain"))
    assert said(found) == (
        "terse.txt or cot.txt is best on exact match (95% confidence); plain.txt is worse than both."
    )
    assert said(found, None) == (
        "terse.txt or cot.txt is highest on exact match (95% confidence); plain.txt is lower than both."
    )


@pytest.mark.parametrize(
    ("arms", "ahead", "text"),
    [
        (
            ("control", "terse", "cot"),
            [("terse", "control"), ("terse", "cot")],
            "terse.txt is best on exact match (95% confidence); control.txt and cot.txt are worse.",
        ),
        (
            ("control", "terse", "cot", "plain"),
            [(each, "control") for each in ("terse", "cot", "plain")],
            (
                "terse.txt, cot.txt or plain.txt is best on exact match (95% confidence); control.txt is worse than "
                "all of these."
            ),
        ),
        (
            ("control", "terse", "cot", "plain"),
            [("terse", "control"), ("cot", "control"), ("terse", "plain")],
            (
                "terse.txt or cot.txt is best on exact match (95% confidence); control.txt is worse than both and "
                "plain.txt is worse than terse.txt."
            ),
        ),
        (
            ("control", "terse", "cot"),
            [],
            "Not shown which arm is best on exact match: any of the 3 arms may be (95% confidence).",
        ),
        (("control", "terse"), [], "Not shown which arm is best on exact match: either arm may be (95% confidence)."),
    ],
)
def test_the_ranking_sentences_follow_the_shown_differences(
    arms: tuple[str, ...], ahead: list[tuple[str, str]], text: str
) -> None:
    assert said(ranking(arms, *ahead)) == text


def test_arms_without_any_interval_are_not_ranked() -> None:
    assert can_rank(ranking(("terse", "cot")))
    assert not can_rank(ranking(("terse", "cot"), method=None))


@pytest.fixture(scope="module")
def document() -> Significance:
    table = trial_table(240, effect=0.6, arms=ARMS)
    return analyse(table, SETTINGS, trend=("control", "terse", "cot"), pooled=True)


def test_the_verdict_starts_with_all_arms_and_continues_with_each_contrast(document: Significance) -> None:
    first, *others = comparison_verdict(document, ("A", "B"), ()).findings
    assert (first.state, first.contrast, first.metric) == ("ranked", "", "em")
    assert "best on exact match (95% confidence); " in str(first)
    assert [each.contrast for each in others] == [f"{name} vs control" for name in ARMS[1:]]


def titled(tables: list[Table], title: str) -> Table:
    [found] = [table for table in tables if table.title == title]
    return found


def test_one_table_has_every_arm_with_its_simultaneous_interval_and_its_ranks(document: Significance) -> None:
    [table] = ranking_tables(document, NAMES)
    assert table.headers == ("Arm", "Score", "Difference from control.txt (simultaneous 95% CI)", "Adjusted p", "Ranks")
    assert sorted(row[0] for row in table.rows) == sorted(NAMES.values())
    [control] = [row for row in table.rows if row[0] == "control.txt"]
    assert control[2:4] == ("\u2013", "\u2013")
    ranks = [int(row[-1].partition(" ")[0]) for row in table.rows]
    assert ranks == sorted(ranks)


def test_the_remaining_tables_have_pairs_trend_and_data_sets(document: Significance) -> None:
    tables = many_arms_tables(document, NAMES)
    pairs = titled(tables, "All pairs of arms")
    assert len(pairs.rows) == 10
    assert any("length_matched.txt is a filler" in note for note in pairs.notes)
    assert titled(tables, "Trend across the arms").rows[0][-1] == "rises"
    assert len(titled(tables, "Effects over several data sets").rows) == 4


def test_a_document_of_one_contrast_has_no_ranking() -> None:
    plain = analyse(trial_table(60), SETTINGS)
    assert not many_arms_tables(plain, NAMES)
    assert not arms_plots(plain, NAMES)
    assert not {"simultaneous", "rankings", "trends", "pooled"} & {*msgspec.to_builtins(plain)}


@pytest.mark.parametrize("narrow", [False, True])
def test_the_ranking_plot_describes_itself_in_words(document: Significance, *, narrow: bool) -> None:
    names = {**NAMES, "terse": '<b>"terse"</b>' + 60 * "x"}
    [svg] = arms_plots(document, names, narrow=narrow)
    root = ET.fromstring(svg)  # noqa: S314 - the program's own
    described = root.findtext("{http://www.w3.org/2000/svg}desc") or ""
    assert all(name in described for name in names.values())
    assert "rank 1" in described
    [table] = ranking_tables(document, names)
    assert all(row[2] in described for row in table.rows if row[2] != "\u2013")


def test_scores_of_another_range_are_shown_as_shares_of_it(document: Significance) -> None:
    wide = msgspec.structs.replace(document, settings=StatsSettings(ranges={"em": (0.0, 2.0)}))
    before, after = msgspec.to_builtins(wide), msgspec.to_builtins(as_shares(wide))
    for path, width in (
        (("simultaneous", 0, "ci_low"), 2),
        (("rankings", 0, "pairs", 0, "ci_high"), 2),
        (("rankings", 0, "arms", 0, "mean"), 2),
        (("trends", 0, "slope"), 2),
        (("pooled", 0, "se"), 2),
        (("pooled", 0, "tau2"), 4),
    ):
        found, wanted = after, before
        for key in path:
            found, wanted = found[key], wanted[key]
        assert found == pytest.approx(wanted / width), path
