"""Pages of items in ``view``: which words differ is shown for texts of any usual length, and can be switched off."""

from __future__ import annotations

from pathlib import Path

from promptrial.care.shown_items import ShownItem
from promptrial.care.view.held_items import ItemsPage
from promptrial.care.view.item_pages import items_html
from promptrial.care.view.items_query import ItemsQuery
from promptrial.phases.answer_rows import Answer
from promptrial.phases.judgement_rows import Judgement
from promptrial.store.rundir import RunDir


def shown(query: ItemsQuery, first: str, second: str, judgements: tuple[Judgement, ...] = ()) -> str:
    texts = {"control": first, "treatment": second}
    answers = {name: [Answer(text, None, None, None, None, None, judgements)] for name, text in texts.items()}
    scores: dict[str, dict[str, float]] = {name: {} for name in texts}
    item = ShownItem(1, "q1", "d", 0.0, "fixed", "Why?", None, ("yes",), answers, scores)
    page = ItemsPage(query, ["t"], ["treatment"], {"fixed": 1}, [item], 1)
    return items_html(RunDir(Path("experiments"), "r"), page)


def test_words_that_differ_are_marked_in_answers_of_60_000_characters_and_the_marks_can_be_switched_off() -> None:
    words = "one two three four " * 3_000
    html = shown(ItemsQuery(item=1), f"{words}five", f"{words}six")
    assert "<del>five </del><ins>six</ins>" in html
    assert 'id="marks" type="checkbox" checked' in html


def test_a_list_of_items_truncates_long_texts() -> None:
    html = shown(ItemsQuery(), "a " * 20_000, "b " * 20_000)
    assert "more characters]" in html
    assert "<ins>" not in html


def test_the_reason_of_a_judge_is_folded_escaped_and_truncated_like_any_text() -> None:
    hostile = "</pre><script>alert(1)</script>\u202e" + "x" * 20_000
    said = (Judgement("quality", (), "1", hostile), Judgement("better", ("terse", "control"), "A", "It is short."))
    html = shown(ItemsQuery(), "Paris", "Lyon", said)
    assert html.count("<details><summary>Reason for quality 1</summary><pre>&lt;/pre&gt;&lt;script&gt;alert(1)") == 2
    assert "<summary>Reason for better A (A is terse, B is control)</summary><pre>It is short.</pre>" in html
    assert "<script>" not in html
    assert "\u202e" not in html
    assert "more characters]" in html
    assert "more characters]" not in shown(ItemsQuery(item=1), "Paris", "Lyon", said)
