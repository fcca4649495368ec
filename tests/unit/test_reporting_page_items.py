"""The items of a page: packed once, within the size limit of a page, and omissions are reported."""

from __future__ import annotations

import base64
import gc
import hashlib
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from promptrial.documents.cost_report import CostReport
from promptrial.model import Item, Message
from promptrial.phases.page import MOST_ITEMS, _chosen
from promptrial.reporting.facts import SpendingFacts, TrialFacts, TrialResult
from promptrial.reporting.page.browser import _printed
from promptrial.reporting.page.content import TrialPage
from promptrial.reporting.page.html import report_page
from promptrial.reporting.page.items import Packed, PageAnswer, PageItem, PageScores, packed_items
from tests.support.page_reader import read_page
from tests.unit.test_reporting_pages import costs, document, endpoint, facts

COMMON = PageScores(
    arms=("control", "treatment"),
    contrasts=((0, 1),),
    labels={"em": "Exact match"},
    judge="em",
    abstention=None,
    outcomes=("fixed", "broken"),
    temps=(0.0,),
    files={},
)
RANDOM = np.random.default_rng(1)


def noise(letters: int) -> str:
    return bytes(RANDOM.integers(97, 123, letters, dtype=np.uint8)).decode()


def item(
    number: int, reasoning: str | None = None, passage: str | None = "shared", reason: str | None = None
) -> PageItem:
    judged = (("quality", "1", reason),) if reason else ()
    answer: PageAnswer = (noise(200), None, "stop", 3, 4, reasoning, judged)
    asked = Item(id=f"q{number}", dataset="d", question=f"question {number}", answers=("gold",), context=passage)
    return PageItem(number, asked, 0.0, (0,), {"em": [0.0, 1.0]}, [[answer], [answer]])


def unpacked(packed: Packed) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed.text)))
    return value


def test_a_passage_of_many_items_is_packed_once() -> None:
    value = unpacked(packed_items(COMMON, [item(n, passage=f"p{n // 5}") for n in range(10)]))
    assert [row.get("w") for row in value["items"]] == ["p0", None, None, None, None, "p1", None, None, None, None]
    assert [row["p"] for row in value["items"]] == [0] * 5 + [1] * 5
    assert {len(answer) for row in value["items"] for answers in row["a"] for answer in answers} == {5}


def test_reasoning_is_left_out_of_all_items_before_any_item_is() -> None:
    items = [item(n, reasoning=noise(2000)) for n in range(20)]
    whole = packed_items(COMMON, items)
    assert (whole.n_items, whole.without_reasoning) == (20, False)
    packed = packed_items(COMMON, items, largest=len(whole.text) - 1)
    assert (packed.n_items, packed.without_reasoning) == (20, True)
    assert {len(answer) for row in unpacked(packed)["items"] for answers in row["a"] for answer in answers} == {5}


def test_reasons_of_judges_are_left_out_after_reasoning_and_before_any_item_is() -> None:
    items = [item(n, reasoning=noise(2000), reason=noise(300)) for n in range(20)]
    whole = packed_items(COMMON, items)
    lean = packed_items(COMMON, items, largest=len(whole.text) - 1)
    assert [lean.n_items, lean.without_reasoning, lean.without_reasons] == [20, True, False]
    (answer, _) = (answers[0] for answers in unpacked(lean)["items"][0]["a"])
    assert (answer[5], answer[6][0][:2]) == (None, ["quality", "1"])
    leanest = packed_items(COMMON, items, largest=len(lean.text) - 1)
    assert [leanest.n_items, leanest.without_reasoning, leanest.without_reasons] == [20, True, True]
    assert {len(answer) for row in unpacked(leanest)["items"] for answers in row["a"] for answer in answers} == {5}
    packed = packed_items(COMMON, items, largest=len(leanest.text) - 1)
    assert (packed.n_items, packed.without_reasons) == (19, True)


def test_for_items_without_reasoning_only_the_reasons_of_judges_are_left_out() -> None:
    items = [*(item(n) for n in range(5)), *(item(n, reason=noise(800)) for n in range(5, 20))]
    whole = packed_items(COMMON, items)
    assert [len(row["a"][0][0]) for row in unpacked(whole)["items"]] == [5] * 5 + [7] * 15
    packed = packed_items(COMMON, items, largest=len(whole.text) - 1)
    assert [packed.n_items, packed.without_reasoning, packed.without_reasons] == [20, False, True]


def test_reasons_stay_if_only_unjudged_answers_have_reasoning() -> None:
    items = [*(item(n, reason=noise(100)) for n in range(10)), *(item(n, reasoning=noise(5000)) for n in range(10, 20))]
    packed = packed_items(COMMON, items, largest=20_000)
    assert [packed.n_items, packed.without_reasoning, packed.without_reasons] == [20, True, False]
    assert [len(row["a"][0][0]) for row in unpacked(packed)["items"]] == [7] * 10 + [5] * 10


def test_items_are_left_out_from_the_end_if_even_their_texts_are_too_large() -> None:
    packed = packed_items(COMMON, [item(n) for n in range(50)], largest=6000)
    assert 0 < packed.n_items < 50
    assert len(packed.text) <= 6000
    assert [row["n"] for row in unpacked(packed)["items"]] == list(range(packed.n_items))


@pytest.mark.parametrize("largest", [0, 10])
def test_a_page_without_room_has_no_items_and_is_not_an_error(largest: int) -> None:
    assert packed_items(COMMON, [item(1)], largest=largest).n_items == 0


def test_items_that_do_not_fit_are_reported_with_the_command_that_shows_them() -> None:
    packed = Packed("", 3, without_reasoning=True)
    page = TrialPage(TrialResult(facts(), document(), costs()), {}, packed=packed, n_items=9)
    html = report_page(facts().run, [page])
    assert "This page has 3 of the 9 items" in html
    assert "promptrial show demo prints all of them" in html
    assert "The reasoning of model-set-tp1-tk50-mx32-32 is omitted" in html
    whole = report_page(facts().run, [TrialPage(page.result, {}, packed=Packed("", 9), n_items=9)])
    packed = Packed("", 9, without_reasons=True)
    html = report_page(facts().run, [TrialPage(page.result, {}, packed=packed, n_items=9)])
    assert "The judges' reasons about answers of model-set-tp1-tk50-mx32-32 are omitted, because the page would be" in (
        html.replace("&#x27;", "'").replace("&#39;", "'")
    )
    assert "promptrial show demo ITEM prints them" in html
    assert "This page has" not in whole
    assert "reasons about" not in whole
    assert "reasoning of" not in whole


def test_the_script_shows_reasons_only_where_judges_were_asked() -> None:
    result = TrialResult(facts(), document(), costs())
    judged = replace(result, facts=replace(facts(), judges=("quality",)))
    plain, with_judges = (report_page(facts().run, [TrialPage(each, {})]) for each in (result, judged))
    assert "judges" not in plain.split("<script>")[1]
    assert "for (const [at, answer] of answers.entries())" in with_judges.split("<script>")[1]
    for page in (plain, with_judges):
        script = page.split("<script>")[1].split("</script>")[0]
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in page.split("</head>")[0]


def test_a_page_of_a_dry_run_has_no_colour_of_better_or_worse() -> None:
    whole = facts()
    dry = replace(whole, run=replace(whole.run, dry_run=True))
    pages = [report_page(each.run, [TrialPage(TrialResult(each, document(), costs()), {})]) for each in (whole, dry)]
    assert ['class="verdict better"' in page for page in pages] == [True, False]
    assert 'class="verdict dry"' in pages[1]
    assert "Dry run: " in pages[1]


def test_if_items_must_be_left_out_changed_ones_stay_and_all_keep_their_order() -> None:
    codes = np.full(MOST_ITEMS + 100, 2)
    codes[[5, MOST_ITEMS + 50]] = 0
    codes[MOST_ITEMS + 99] = 1
    chosen = _chosen([codes], len(codes))
    assert len(chosen) == MOST_ITEMS
    assert chosen == sorted(chosen)
    assert {5, MOST_ITEMS + 50, MOST_ITEMS + 99} <= {*chosen}
    assert _chosen([codes[:10]], 10) == list(range(10))


def test_hostile_characters_are_escaped_in_every_text_and_name() -> None:
    hostile = "\x1b[2J\u202e\0"
    asked = Item(
        id=hostile,
        dataset=hostile,
        question=hostile,
        answers=(hostile,),
        context=hostile,
        choices=(hostile,),
        messages=(Message(hostile, hostile),),  # type: ignore[arg-type] # no role has such a name
    )
    answer: PageAnswer = (hostile, hostile, hostile, 1, 1, hostile, ((hostile, hostile, hostile),))
    common = PageScores(
        arms=(hostile,), contrasts=(), labels={hostile: hostile}, judge=hostile, abstention=hostile,
        outcomes=(hostile,), temps=(0.0,), files={hostile: hostile},
    )  # fmt: skip
    value = unpacked(packed_items(common, [PageItem(1, asked, 0.0, (0,), {hostile: [1.0]}, [[answer], []])]))
    said = json.dumps(value, ensure_ascii=False)
    assert not {"\x1b", "\u202e", "\0"} & {*said}
    assert said.count("\\\\u202e") == 24
    assert "\\u001b" not in said.replace("\\\\u001b", "")
    (name,) = value["scorers"]
    assert [*value["items"][0]["s"]] == [name] == [value["judge"]]
    assert [*value["files"]] == value["arms"]


def test_memory_is_bounded_by_the_size_of_a_page_and_no_item_is_read_that_has_no_room() -> None:
    read = []

    def items() -> Iterator[PageItem]:
        for n in range(4_000):
            read.append(n)
            yield item(n, reasoning=noise(32_000), passage=noise(1_000))

    gc.collect()
    tracemalloc.start()
    packed = packed_items(COMMON, items(), largest=1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert packed.without_reasoning
    assert 900_000 < len(packed.text) <= 1_000_000
    assert peak < 6_000_000
    assert packed.n_items <= len(read) < packed.n_items + 400


def test_an_item_is_packed_exactly_if_it_fits_to_the_byte() -> None:
    items = [item(n) for n in range(30)]
    size = len(packed_items(COMMON, items).text)
    assert packed_items(COMMON, items, largest=size).n_items == 30
    assert packed_items(COMMON, items, largest=size - 1).n_items == 29


def test_items_before_the_first_reasoning_stay_when_reasoning_is_left_out() -> None:
    items = [*(item(n) for n in range(10)), *(item(n, reasoning=noise(3000)) for n in range(10, 20))]
    packed = packed_items(COMMON, items, largest=20_000)
    assert (packed.n_items, packed.without_reasoning) == (20, True)
    assert [row["n"] for row in unpacked(packed)["items"]] == list(range(20))


def test_the_parts_of_several_trials_are_folded_under_their_names_and_a_link_leads_to_each() -> None:
    each, other = facts(), facts("another-set-tp1-tk50-mx32-32")
    one, two = (TrialPage(TrialResult(of, document(), costs()), {}) for of in (each, other))
    (single,) = read_page(report_page(each.run, [one])).root.every("nav")
    assert not single.every("details")
    assert {"Verdict", "Effects", "Cost"} <= {link.text for link in single.every("a")}
    page = read_page(report_page(each.run, [one, two])).root
    (both,) = page.every("nav")
    assert [group.every("summary")[0].text for group in both.every("details")] == [each.trial.slug, other.trial.slug]
    assert len(both.every("a")) == 2 * len(single.every("a")), "the verdict of each stands before its other parts"
    ids = {found.attributes["id"] for name in ("h1", "h2") for found in page.every(name)}
    assert {link.attributes["href"][1:] for link in both.every("a")} <= ids


@pytest.mark.parametrize(("temps", "small"), [((0.0, 0.7), False), ((0.0, 0.3, 0.7), True)])
def test_more_than_two_findings_are_written_smaller(temps: tuple[float, ...], small: bool) -> None:
    found = document(*(endpoint(temp=temp) for temp in temps))
    page = report_page(facts().run, [TrialPage(TrialResult(facts(), found, costs()), {})])
    assert ('class="findings many"' in page) == small


# --- the first line ---------------------------------------------------------------------------------------------------


def first_line(of: TrialFacts, *reports: CostReport) -> str:
    pages = [TrialPage(TrialResult(of, document(), each), {}) for each in reports or (costs(),)]
    (line,) = read_page(report_page(of.run, pages)).root.every("p", "facts")
    return line.text


def named(run_id: str, **changes: Any) -> TrialFacts:
    return replace(facts(), run=replace(facts().run, run_id=run_id, **changes))


def test_the_first_line_names_run_day_models_questions_status_and_money() -> None:
    assert first_line(named("20260131-093000-2")) == (
        "experiment sample \u00b7 run 20260131-093000-2 \u00b7 2026-01-31 \u00b7 small \u00b7 104 questions "
        "\u00b7 finished \u00b7 0.0018 USD"
    )


@pytest.mark.parametrize("run_id", ["demo", "20261331-093000", "20260131", "20260131-093000x", "20260100-093000"])
def test_a_run_whose_name_says_no_time_has_no_day(run_id: str) -> None:
    assert first_line(named(run_id)).startswith(
        f"experiment sample \u00b7 run {run_id} \u00b7 small \u00b7 104 questions"
    )


def test_the_first_line_counts_what_was_spent_once_and_never_an_unknown_price_as_nothing() -> None:
    assert first_line(named("demo", spending=SpendingFacts(2.5, 1.0))).endswith("2.50 USD")
    assert first_line(facts(), costs(), costs()).endswith(" \u00b7 0.0036 USD")
    assert first_line(facts(shared_requests=104), costs(), costs()).endswith("at most 0.0036 USD")
    assert first_line(facts(), costs(), costs(None)).endswith("cost unknown")
    assert first_line(named("demo", dry_run=True)).endswith("dry run \u00b7 nothing spent")


def test_a_large_verdict_shows_no_colon_because_its_figures_are_below_it() -> None:
    page = report_page(facts().run, [TrialPage(TrialResult(facts(), document(), costs()), {})])
    assert '<span class="colon">: </span></span> <span class="figures">' in page


def test_printed_items_have_their_texts_up_to_two_thousand_letters() -> None:
    for letters, end in ((5, ""), (2000, ""), (2001, " \u2026")):
        asked = Item(id="q1", dataset="d", question="q" * letters, answers=("gold",))
        printed = _printed(replace(item(1), item=asked), ("control", "treatment"))
        assert f"<p>{'q' * min(letters, 2000)}{end}</p>" in printed
