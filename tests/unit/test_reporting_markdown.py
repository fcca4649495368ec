"""``report.md``: one page that opens with the verdict, and shows the first items that changed."""

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from promptrial.documents.significance import Significance
from promptrial.model.arms import DEFAULT_CONTRAST, Contrast
from promptrial.reporting.details import trial_details
from promptrial.reporting.facts import TrialFacts, TrialResult
from promptrial.reporting.markdown import ChangedItem, WhatChanged, trial_plots, trial_report
from promptrial.reporting.page.first import changes_html
from promptrial.reporting.plots.bars import Changed
from promptrial.reporting.powered import PowerCurve, PowerPoint
from promptrial.reporting.verdict import trial_verdict
from tests.unit.test_reporting_pages import costs, document, endpoint, facts

HOSTILE = "<script>alert(1)</script> | *x* `y` ](z)\n# h \x1b[31m \u202eback"


def result(found: Significance | None = None, of: TrialFacts | None = None) -> TrialResult:
    return TrialResult(of or facts(), found or document(), costs())


def item(question: str = "Why?", *, answers: Any = (("no",), ("yes",))) -> ChangedItem:
    return ChangedItem(question, ("yes",), answers)


def changed(*fixed: ChangedItem, broken: tuple[ChangedItem, ...] = (), counts: Changed | None = None) -> WhatChanged:
    return WhatChanged(DEFAULT_CONTRAST, counts or Changed(len(fixed), len(broken), 5, 1), fixed, broken)


def test_the_verdict_comes_first_with_a_bold_lead() -> None:
    found = document(endpoint())
    page = trial_report(result(found), [])
    lead, figures = trial_verdict(result(found)).findings[0].lead, trial_verdict(result(found)).findings[0].figures
    assert lead.endswith(": ")
    assert page.split("\n\n")[2] == f"**{lead.removesuffix(': ')}**: {figures}", "the colon is not in bold"


def test_warnings_are_between_verdict_and_plot_with_the_dry_run_first() -> None:
    dry = replace(facts(), run=replace(facts().run, dry_run=True))
    page = trial_report(result(of=dry), [])
    assert page.index("**Dry run: ") < page.index("- **Dry run:** all ") < page.index("forest.svg")


def test_the_page_has_its_sections_in_order_and_links_to_everything_else() -> None:
    page = trial_report(result(), [changed(item())])
    heads = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert heads == ["Effects", "What changed", "Missing answers", "Cost", "How to read it"]
    assert "[details.md](details.md)" in page
    assert "[report.html](../../report.html)" in page
    assert len(page.splitlines()) < 70


def test_the_changes_section_names_the_measure_of_correctness() -> None:
    what = changed(item(), counts=Changed(1, 0, 5, 1, measure="em"))
    assert "## What changed in Exact match\n" in trial_report(result(), [what])
    assert "What changed in Exact match" in trial_plots(result(), [what])["changed.svg"]
    assert "What changed in Exact match (B vs A)</p>" in changes_html({"B vs A": what.counts, "C vs A": what.counts})


def test_prompts_are_called_by_their_files_throughout_and_a_dry_run_spends_nothing() -> None:
    dry = replace(
        facts(), run=replace(facts().run, dry_run=True), prompt_names={"control": "a.txt", "treatment": "b.txt"}
    )
    page = trial_report(result(of=dry), [changed(item())])
    assert "### Effects, b.txt minus a.txt" in page
    assert "| Question | Gold | a.txt | b.txt |" in " ".join(page.split())
    assert "control arm" not in page
    assert "treatment arm" not in page
    assert "- Spent: nothing (dry run). The cost above is" in page
    what = [WhatChanged(Contrast(name), Changed(1, 0, 5, 1), (), ()) for name in ("treatment", "x")]
    assert "## What changed: b.txt vs a.txt\n" in trial_report(result(of=dry), what)


def test_items_show_question_gold_and_both_answers_and_their_counts_are_of_all() -> None:
    counts = Changed(31, 12, 310, 47)
    page = trial_report(result(), [changed(item(), broken=(item("What?", answers=(("a", "b"), ())),), counts=counts)])
    assert "31 fixed, 12 broken, 310 both right and 47 both wrong." in page
    assert "### Fixed: 1 of 31" in page
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in page.splitlines()
        if "hy?" in line or "hat?" in line
    ]
    assert rows == [["Why?", "yes", "no", "yes"], ["What?", "yes", "a / b", "(no answer)"]]


def test_a_long_text_is_cut_and_says_so() -> None:
    page = trial_report(result(), [changed(item("q " * 5000, answers=(("a" * 1_000_000,), ("b",))))])
    assert len(page) < 6000
    assert f"{'a' * 157}..." in page
    assert "a" * 158 not in page


def test_hostile_content_of_questions_and_answers_is_text() -> None:
    page = trial_report(result(), [changed(item(HOSTILE, answers=((HOSTILE,), (HOSTILE,))))])
    assert "\x1b" not in page
    assert "\u202e" not in page
    html = MarkdownIt("commonmark").enable("table").render(page)
    assert "<script" not in html
    assert html.count("<table>") == 2
    assert html.count("<h1>") == 1


def test_a_trial_of_one_arm_has_no_plot_and_says_that_nothing_is_compared() -> None:
    alone = facts()
    alone = replace(alone, trial=replace(alone.trial, conditions=("control",)))
    page = trial_report(result(of=alone), [])
    assert "Nothing is compared" in page
    assert ".svg" not in page
    assert trial_plots(result(of=alone), []) == {}


@pytest.mark.parametrize("name", ["forest.svg", "changed.svg"])
def test_the_page_shows_the_plot_files_beside_it(name: str) -> None:
    what = [changed(item())]
    assert f"]({name})" in trial_report(result(), what)
    assert trial_plots(result(), what)[name].startswith('<svg style="color:#1a1a1a;background:#ffffff" xmlns=')
    assert {*trial_plots(result(), what)} == {"forest.svg", "changed.svg"}


def test_power_curves_are_a_plot_with_detail_tables_and_omitted_if_missing() -> None:
    points = tuple(PowerPoint(n, 0.1, (0.5,)) for n in (25, 50, 100, 200, 400))
    curves = (PowerCurve(endpoint(), 0.05, 1), PowerCurve(endpoint("f1"), 0.05, 1, "", (0.1,), points))
    made = trial_plots(result(), [], curves)["power.svg"]
    assert ("Power: Token F1" in made, "Power: Exact match" in made) == (True, False)
    assert made.startswith('<svg style="')
    page = trial_details(facts(), document(), costs(), curves)
    assert "## Power\n\n![Power by number of questions](power.svg)" in page
    assert "| this run: 100 |" in page
    assert "power.svg" not in trial_details(facts(), document(), costs(), curves[:1])
    assert "power.svg" not in trial_plots(result(), [], curves[:1])


def test_the_amount_spent_is_shown_beside_the_cost_of_the_answers() -> None:
    import msgspec

    page = trial_report(TrialResult(facts(), document(), msgspec.structs.replace(costs(), spent_usd=9.5)), [])
    assert "Spent: 9.50 USD" in page
    assert "all of it on these answers" in trial_report(result(), [])


def test_only_terms_on_the_page_are_explained_and_they_are_quoted() -> None:
    dull: dict[str, Any] = {"p": 0.4, "p_adjusted": 0.4, "significant": False}
    won, lost, open_ = endpoint(), endpoint("abstain_rate", 0.1, 0.3), endpoint("f1", **dull)
    pages = [trial_report(result(document(*rows)), []) for rows in ((won,), (won, lost, open_))]
    explained = [page.partition("## How to read it")[2] for page in pages]
    assert '- "Better" means a p-value of at most 0.05 after adjustment for multiple tests.' in explained[0]
    assert not [word for word in ("worse", "Not shown", "lead", "Fixed") if f'"{word}"' in explained[0]]
    assert '"Better" and "higher" mean a p-value' in explained[1]
    assert '- "Not shown" means' in explained[1]
    assert '- A "lead" is' in explained[1]


def test_the_page_says_what_each_primary_measure_asks() -> None:
    page = trial_report(result(document(endpoint(), endpoint("f1"))), [])
    assert "- Exact match (primary measure): Is the normalised answer equal to an accepted answer? If " in page
    assert "Token F1 (primary measure)" not in page


def test_an_empty_table_says_what_is_missing() -> None:
    page = trial_details(facts(), document(endpoint()), costs())
    assert "### Pairs of 0/1 endpoints\n\nNo endpoint has 0/1 scores in pairs.\n" in page
    assert "\nNone.\n" not in page
