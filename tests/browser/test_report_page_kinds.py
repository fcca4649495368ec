"""Pages of other kinds of runs: several trials, arms, temperatures and samples; one arm; no accepted answers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from promptrial.reporting.facts import TrialResult
from promptrial.reporting.page.content import TrialPage
from promptrial.reporting.page.html import report_page
from promptrial.reporting.page.items import packed_items
from tests.e2e.test_arms import THREE
from tests.e2e.test_without_gold import NEEDS_NONE, NO_GOLD, write
from tests.support.browser import Watched, opened
from tests.support.page_reader import read_page
from tests.support.page_runs import ATTACKS, judged_run, small_project
from tests.unit.test_reporting_page_items import COMMON, item
from tests.unit.test_reporting_pages import costs, document, facts

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of two trials, the first of three arms, at two temperatures, one with three answers."""
    with small_project(tmp_path_factory.mktemp("many")) as project:
        project.write_config(
            {
                "prompt_sets": {"main": THREE, "other": {"control": "control.txt", "treatment": "other.txt"}},
                "sweep": {"prompt_sets": ["main", "other"]},
                "temps": [0.0, 0.7],
                "samples_per_item": {"0.0": 1, "0.7": 3},
            }
        )
        outcome = project.run()
        assert outcome.code == 0, outcome.err
        return project.run_root() / "report.html"


@pytest.fixture
def seen(browser: Browser, many: Path) -> Iterator[Watched]:
    with opened(browser, many) as watched:
        yield watched
        assert watched.said == []


def chips(seen: Watched) -> dict[str, int]:
    texts = [text for text in seen.texts("#outcomes button:visible") if text]
    return {text.rsplit(" ", 1)[0]: int(text.rsplit(" ", 1)[1]) for text in texts}


def test_each_trial_and_each_contrast_has_its_own_counts(seen: Watched) -> None:
    links = {each.get_attribute("href"): each.inner_text().split()[0] for each in seen.page.locator(".jumps a").all()}
    assert len(links) == 4 * 3
    for link, number in links.items():
        seen.page.evaluate("link => { location.hash = link }", link)
        seen.wait("#found", f"{number} of 28 items")


def test_the_reader_chooses_trial_and_contrast(seen: Watched) -> None:
    assert sorted(seen.texts("#contrast option")) == ["short against control", "treatment against control"]
    first = chips(seen)
    seen.page.select_option("#contrast", "1")
    assert chips(seen) != first
    seen.page.select_option("#trial", "1")
    seen.page.locator("#contrast").wait_for(state="hidden")
    assert seen.page.url.endswith("#trial=2&item=1")
    assert sum(n for name, n in chips(seen).items() if name in {"fixed", "broken", "both right", "both wrong"}) == 28


def test_each_temperature_is_a_separate_item_with_all_its_answers(seen: Watched) -> None:
    assert "temperature 0" in seen.page.inner_text("#item")
    assert seen.page.locator("#item .answer").count() == 3
    seen.page.evaluate("location.hash = '#item=15'")
    seen.wait("#item", "temperature 0.7")
    assert seen.page.locator("#item .answer").count() == 9
    assert seen.page.locator("#item ins, #item del").count() == 0


def test_every_trial_has_a_first_screen_before_the_items_and_links_at_the_side(seen: Watched) -> None:
    heads = seen.texts("h1, h2")
    assert [head.startswith("Trial ") for head in heads[:3]] == [True, True, False]
    assert heads[2].startswith("Items")
    assert len(seen.texts("nav a")) > 10


def test_a_single_arm_has_items_and_no_outcomes(browser: Browser, tmp_path: Path) -> None:
    with small_project(tmp_path) as project:
        assert project.run("--condition", "control").code == 0
        page = project.run_root() / "report.html"
    with opened(browser, page) as watched:
        assert watched.said == []
        assert "Nothing is compared" in watched.page.inner_text(".verdict")
        assert not set(chips(watched)) & {"fixed", "broken", "both right", "both wrong", "missing", "not scored"}
        watched.page.keyboard.press("j")
        assert watched.page.locator("#item .answer").count() == 1


@pytest.mark.parametrize(("lower_is_better", "loss_first"), [(False, ["2", "1", "3"]), (True, ["3", "1", "2"])])
def test_the_largest_loss_is_first_whichever_scores_are_better(
    browser: Browser, tmp_path: Path, lower_is_better: bool, loss_first: list[str]
) -> None:
    changes = {1: 0.0, 2: -3.0, 3: 2.0}
    items = [replace(item(number), scores={"em": [5.0, 5.0 + change]}) for number, change in changes.items()]
    packed = packed_items(replace(COMMON, lower_is_better=lower_is_better), items)
    page = tmp_path / "report.html"
    page.write_text(report_page(facts().run, [TrialPage(TrialResult(facts(), document(), costs()), {}, packed=packed)]))
    with opened(browser, page) as watched:
        for sort, numbers in (("worst", loss_first), ("best", loss_first[::-1])):
            watched.page.select_option("#sort", sort)
            assert [text.split()[1] for text in watched.texts("#rows .id")] == numbers
        assert watched.said == []


def test_without_accepted_answers_a_continuous_score_is_drawn_and_filtered(browser: Browser, tmp_path: Path) -> None:
    with small_project(tmp_path) as project:
        write(project, NO_GOLD, {"scorers": NEEDS_NONE, "stats": {"primary": ["words"], "permutation_samples": 999}})
        outcome = project.run()
        assert outcome.code == 0, outcome.err
        page = project.run_root() / "report.html"
        table = (project.trial_folder() / "results/per_item_scores.csv").read_text().splitlines()
    words: dict[str, dict[str, float]] = {}
    for row in csv.DictReader(table):
        words.setdefault(row["item_key"].partition("|")[2], {})[row["condition"]] = float(row["words"])
    most = {name: max(of.values()) for name, of in words.items()}
    more = {name: of["treatment"] - of["control"] for name, of in words.items()}
    said = [each.text for each in read_page(page.read_text("utf-8")).root.every("desc")]
    assert any(text.startswith("Distribution of Words by arm. The most common scores: ") for text in said), said
    with opened(browser, page) as watched:
        assert "Gold: none given" in watched.page.inner_text("#item")
        watched.page.select_option("#measure", "words above")
        for bound in (0, 1, 2, 3):
            watched.page.fill("#bound", str(bound))
            above = sum(words > bound for words in most.values())
            watched.wait("#found", f"{above} of 8 items")
        watched.page.select_option("#measure", "")
        watched.page.select_option("#sort", "worst")
        losses = [more[text.split()[-1]] for text in watched.texts("#rows .id")]
        assert losses == sorted(more.values(), reverse=True), "fewer words are better"
        assert losses[0] != losses[-1]
        assert watched.said == []


def test_the_reasons_of_judges_are_folded_below_the_scores_and_are_text(browser: Browser, tmp_path: Path) -> None:
    reason = " and ".join(ATTACKS[:4])
    with opened(browser, judged_run(tmp_path, reason)) as watched:
        watched.page.wait_for_selector("#item .arm")
        control, treatment = watched.page.locator("#item .arm").all()
        assert control.locator("summary").all_inner_texts() == ["Reason for Quality 1"]
        assert treatment.locator("summary").all_inner_texts() == [
            "Reason for Better B (A is control, B is treatment)",
            "Reason for Better B (A is treatment, B is control)",
            "Reason for Quality 1",
        ]
        fold = treatment.locator("details").first
        assert fold.locator("pre").is_hidden()
        fold.locator("summary").click()
        shown = fold.locator("pre").inner_text()
        assert ATTACKS[0] in shown
        assert ATTACKS[2] in shown
        assert not {"\x1b", "\u202e"} & {*shown}
        assert treatment.locator(".scores + details").count() == 1, "below the scores"
        assert watched.page.title() != "stolen"
        assert watched.said == []
        assert [url for url in watched.asked if not url.startswith("file:")] == []
