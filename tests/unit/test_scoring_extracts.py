"""What of an answer is scored: each step, chains of them, and what is scored where nothing is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.scorer_tables import configured
from promptrial import registry
from promptrial.config.extracts import extract_problem, typed_steps
from promptrial.config.typed import typed
from promptrial.registry import EXTRACTS
from promptrial.scoring.base import Gold, PreparedAnswer, ScoringSettings, prepare_gold
from promptrial.scoring.contract import BatchScorer, Declaration, Response
from promptrial.scoring.extracts import Extract, Found
from promptrial.scoring.panel import Panel, score_answer
from tests.support.processor_time import at_most
from tests.support.scoring import item_of, scorer_of

STEPS: list[Any] = [
    {"after": "Answer:"},
    "first_line",
    "last_line",
    "fenced_block",
    {"fenced_block": "json"},
    {"json": "a.0"},
    {"regex": r"<a>(.*?)</a>", "dotall": True},
    ["fenced_block", {"json": "answer", "missing": "whole"}, "last_line"],
]


def extracted(value: object, text: str) -> str | None:
    return Extract(typed_steps(value))(text).text


@pytest.mark.parametrize(
    ("step", "text", "found"),
    [
        ({"after": "Answer:"}, "Answer: 3\nNo, ANSWER: 4 \n", "4"),
        ({"after": "Answer:", "case": True}, "Answer: 3\nNo, ANSWER: 4", "3\nNo, ANSWER: 4"),
        ({"after": "####"}, "4 * 5 = 20\n#### 20", "20"),
        ({"after": "####"}, "4 * 5 = 20", None),
        ({"after": "####"}, "20 #### \n ", None),
        ({"after": "(x"}, "a (X b", "b"),
        ("last_line", "one\ntwo\n\n", "two"),
        ("last_line", "\n \n", None),
        ("first_line", "\n\n one\ntwo", "one"),
        ({"last_line": True}, "one", "one"),
        ("fenced_block", "```\na\n```\nthen\n```py\nb\n c\n```\nend", "b\n c"),
        ("fenced_block", "~~~\na\n```\nb\n~~~", "a\n```\nb"),
        ("fenced_block", "````\n```\na\n```\n````", "```\na\n```"),
        ("fenced_block", "before\n```json\n{}", "{}"),  # cut off before it was closed
        ("fenced_block", "no block, `code` alone", None),
        ("fenced_block", "```\n```", None),
        ("fenced_block", '```{"a": 1}```', None),  # inline code
        ("fenced_block", '```{"a": 1}```\nHope this helps', None),
        ("fenced_block", "```py `x`\nb\n```\nc\n```", "c"),
        ("fenced_block", "~~~ `x`\nb\n~~~", "b"),
        ({"json": "a"}, "We have [x] and {y} " * 60 + '{"a": 2}', "2"),
        ({"json": "a"}, "We have [1], {} " * 60 + '{"a": 2}', "2"),
        ({"fenced_block": "JSON"}, "```json\n1\n```\n```py\n2\n```", "1"),
        ({"fenced_block": "sql"}, "```json\n1\n```", None),
        ({"json": "answer"}, '{"answer": "Paris"}', "Paris"),
        ({"json": "answer"}, 'Sure [see below]: {"x": 1, "answer": "Paris"} Bye.', "Paris"),
        ({"json": "answer"}, 'See [1]: {"x": 1} {"answer": "Paris"} {"answer": "Rome"}', "Paris"),
        ({"json": "answer"}, 'Sure, see {below}: {"x": 1, "answer": "Paris"} Bye.', "Paris"),
        ({"json": "a.b.1.c"}, '{"a": {"b": [0, {"c": "x"}]}}', "x"),
        ({"json": "0"}, "[7]", "7"),
        ({"json": "n"}, '{"n": 1.50}', "1.50"),
        ({"json": "n"}, '{"n": 1e400}', "1e400"),
        ({"json": "n"}, '{"n": 12345678901234567890}', "12345678901234567890"),
        ({"json": "n"}, '{"n": true}', "true"),
        ({"json": "n"}, '{"n": false}', "false"),
        ({"json": "n"}, '{"n": null}', None),
        ({"json": "n"}, '{"n": {"é": [1.5, "x"]}}', '{"é": [1.5, "x"]}'),
        ({"json": "n"}, '{"m": 1}', None),
        ({"json": "n"}, '{"n": 1', None),
        ({"json": "n.m"}, '{"n": 1}', None),
        ({"json": "5"}, "[1]", None),
        ({"json": "n"}, '{"n": 1, "n": 2}', "2"),
        ({"json": "n"}, "[" * 100_000, None),
        ({"json": "n"}, '{"n": ' + "9" * 5000 + "}", None),
        ({"regex": r"<a>(.*?)</a>"}, "<a>1</a> <a>2</a>", "2"),
        ({"regex": r"<a>(.*?)</a>", "occurrence": "first"}, "<a>1</a> <a>2</a>", "1"),
        ({"regex": r"\d+"}, "1 22 3x", "3"),
        ({"regex": r"(?P<y>\d+)-(?P<m>\d+)", "group": "m"}, "1999-12", "12"),
        ({"regex": r"(a)|(b)", "group": 2}, "a", None),
        ({"regex": r"x(.)y", "dotall": True}, "x\ny", None),  # white space alone is nothing
        ({"regex": r"x(.b)y", "dotall": True}, "x\nby", "b"),
        ({"regex": "^B.*$", "multiline": True, "case": False}, "a\nbcd", "bcd"),
        ({"regex": "^b.*$"}, "a\nbcd", None),
        ({"regex": "a.b"}, "a\nb", None),
        ([{"after": "answer:"}, "first_line"], "Answer:\n\n 4\nSure.", "4"),
        (["fenced_block", {"json": "x"}], '```\n{"x": "y"}\n```', "y"),
        (["fenced_block", {"json": "x"}], '{"x": "y"}', None),
        ([{"fenced_block": "", "missing": "whole"}, {"json": "x"}], '{"x": "y"}', "y"),
        ({"after": "####", "missing": "whole"}, "It is 4.", "It is 4."),
    ],
)
def test_each_step_finds_the_part_that_it_is_named_after(step: object, text: str, found: str | None) -> None:
    assert extract_problem(step) is None
    assert extracted(step, text) == found


@pytest.mark.parametrize("step", STEPS)
@given(text=st.one_of(st.text(max_size=80), st.text(alphabet='`~{}[]"ab:,.0\n <>/', max_size=80)))
def test_any_text_has_a_nonblank_part_or_none(step: object, text: str) -> None:
    found = extracted(step, text)
    assert found is None or found.strip()


@pytest.mark.parametrize(
    "hostile", ["```", "~~~\n", "{", '{"a":', "[[", "[1,", "{x}", "`x`", "<a>", "Answer:", "\n", '{"a.0": [']
)
def test_hostile_texts_take_linear_time(hostile: str) -> None:
    text = hostile * (60_000 // len(hostile))
    for step in STEPS:
        with at_most(10):
            extracted(step, text)


@pytest.mark.parametrize(
    ("value", "at", "problem"),
    [
        ({"afer": "x"}, (), "unknown step 'afer'; did you mean 'after'?; known: after, first_line, last_line"),
        ("last", (), "unknown step 'last'; did you mean 'last_line'?"),
        (["last_line", "lst_line"], (1,), "unknown step 'lst_line'; did you mean 'last_line'?"),
        ({"after": "x", "json": "y"}, (), "several steps in one mapping; write a list"),
        ({"missing": "whole"}, (), "unknown step 'missing'"),
        ({}, (), "unknown step 'nothing'"),
        ([], (), "no step is given"),
        (7, (), "a step is a name or a mapping with one; given: 7"),
        ("after", (), "`after` needs a value: {after: …}"),
        ({"json": None}, (), "`json` needs a value"),
        ({"after": "x", "cas": True}, ("cas",), "unknown setting; did you mean 'case'?"),
        ({"after": " "}, (), "a marker has 1 to 1,000 visible characters"),
        ([{"after": "x", "missing": "none"}], (0, "missing"), "input should be 'empty' or 'whole'"),
        ({"json": "a..b"}, (), "the path of a field is keys with dots between them"),
        ({"regex": "(?=a)"}, (), "'(?=a)' is not a valid RE2 regular expression"),
        ({"regex": "(a)", "group": 2}, (), "there is no group 2; known: 0, 1"),
        ({"regex": "(a)", "group": "b"}, (), "there is no group 'b'; known: 0, 1"),
        ({"last_line": False}, ("last_line",), "input should be True"),
    ],
)
def test_an_error_in_a_step_is_reported_with_its_place(value: object, at: tuple[object, ...], problem: str) -> None:
    found = extract_problem(value)
    assert found is not None
    assert found[0] == at
    assert found[1].startswith(problem)


def test_every_step_of_the_registry_is_tried_here() -> None:
    tried = {
        key
        for step in STEPS
        for each in (step if isinstance(step, list) else [step])
        for key in ([each] if isinstance(each, str) else each)
    }
    assert tried >= set(EXTRACTS)


def test_the_extracted_part_is_described_in_words() -> None:
    said = [str(Extract(typed_steps(step))) for step in STEPS]
    assert said[0] == "what follows the last “Answer:” in the answer"
    assert said[-1] == "the last line of the JSON field `answer` in the last fenced block in the answer"


def scores(text: str, extract: object, *golds: str, **kinds: dict[str, object]) -> list[float]:
    """Return the scores of a text by scorers of the given types and settings, all with the same extract."""
    scorers = {kind: scorer_of(kind, **settings) for kind, settings in kinds.items()}
    panel = Panel(scorers, dict.fromkeys(scorers, Extract(typed_steps(extract))))
    return list(panel.score(prepare_gold(item_of(*golds), "custom", ScoringSettings()), Response(text)))


PACK: dict[str, dict[str, object]] = {"exact_match": {}, "token_f1": {}, "abstention": {}}
MARKER = {"after": "Answer:"}


def test_every_scorer_gets_only_the_extracted_part() -> None:
    text = "I do not know much, but it is Rome or Paris.\nAnswer: Paris"
    assert scores(text, MARKER, "Paris", **PACK, includes={}, length={}) == [1, 1, 0, 1, 1]
    assert scores(text, MARKER, "Rome", **PACK, includes={}, starts_with={}) == [0, 0, 0, 0, 0]


def test_an_abstention_is_recognised_in_the_part_and_in_an_answer_without_one() -> None:
    assert scores("Let me see.\nAnswer: I don't know.", MARKER, "Paris", **PACK) == [0, 0, 1]
    assert scores("I don't know.", MARKER, "Paris", **PACK) == [0, 0, 1]
    assert scores("I don't know.", MARKER, **PACK) == [1, 1, 1]


def test_an_answer_without_the_part_matches_nothing_not_even_an_unanswerable_item() -> None:
    kinds: dict[str, dict[str, object]] = {**PACK, "includes": {}, "false_answer": {}, "length": {}}
    assert scores("It is Paris.", MARKER, **kinds) == [0, 0, 0, 0, 1, 0]
    assert scores("It is Paris.", MARKER, "Paris", **PACK, includes={}) == [0, 0, 0, 0]
    assert scores("It is 4.", MARKER, "4", numeric={}, starts_with={}) == [0, 0]
    assert scores("It is Paris.", {**MARKER, "missing": "whole"}, "Paris", includes={}) == [1]


NOTHING: list[tuple[str, dict[str, object], float]] = [
    ("length", {"max": 5}, 0),
    ("length", {"direction": "lower", "cap": 50}, 50),
    ("length", {"direction": "higher"}, 0),
    ("length", {}, 0),
    ("regex", {"pattern": "^[^x]*$"}, 0),
    ("regex", {"pattern": "^$"}, 0),
    ("json_schema", {}, 0),
    ("unsupported", {}, 1),
    ("abstention", {}, 0),
    ("bleu", {}, 0),
]


@pytest.mark.parametrize(("kind", "settings", "score"), NOTHING)
def test_an_answer_without_the_part_has_the_worst_score(kind: str, settings: dict[str, object], score: float) -> None:
    panel = Panel({"s": scorer_of(kind, **settings)}, {"s": Extract(typed_steps(MARKER))})
    gold = prepare_gold(item_of("Paris", context="In Paris."), "custom", ScoringSettings())
    assert panel.score(gold, Response("I will not finish my")) == (score,)


@dataclass(frozen=True)
class Keeps(BatchScorer):
    """Gives 1 to every answer that it is shown."""

    declared = Declaration(label="l", meaning="m", scale="binary", direction="higher")

    def score_batch(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> Sequence[float]:
        assert all(answer.text or answer.abstained for _, answer in answers)
        return [1.0] * len(answers)


def test_a_batch_scorer_does_not_get_answers_without_the_part() -> None:
    panel = Panel({"s": Keeps()}, {"s": Extract(typed_steps(MARKER))})
    gold = prepare_gold(item_of("Paris"), "custom", ScoringSettings())
    texts = ("none", "Answer: Rome", "nothing")
    assert panel.score_all([(gold, Response(text)) for text in texts]) == [(0,), (1,), (0,)]


def test_a_batch_scorer_gets_an_answer_that_declines() -> None:
    gold = prepare_gold(item_of("Paris"), "custom", ScoringSettings())
    assert Panel({"s": Keeps()}).score_all([(gold, Response("I don't know."))]) == [(1,)]


@dataclass(frozen=True)
class Nought(Keeps):
    """Gives a zero with a sign to every answer."""

    def score_batch(self, answers: Sequence[tuple[Gold, PreparedAnswer]]) -> Sequence[float]:
        return [-0.0] * len(answers)


def test_a_zero_from_a_batch_scorer_is_not_negative() -> None:
    gold = prepare_gold(item_of("Paris"), "custom", ScoringSettings())
    assert str(Panel({"s": Nought()}).score_all([(gold, Response("Rome"))])) == "[(0.0,)]"


def test_scorers_with_and_without_extract_keep_their_order_and_are_counted() -> None:
    extract = Extract(typed_steps(MARKER))
    scorers = {"strict": scorer_of("exact_match"), "em": scorer_of("exact_match"), "share": scorer_of("token_f1")}
    panel = Panel(scorers, {"strict": extract, "share": Extract(typed_steps(MARKER))})
    gold = prepare_gold(item_of("Paris"), "custom", ScoringSettings())
    assert panel.score(gold, Response("It is\nAnswer: Paris")) == (1, 0, 1)
    assert panel.score(gold, Response("Paris")) == (0, 1, 0)
    assert panel.score(gold, Response("I don't know.")) == (0, 0, 0)
    assert panel.take_counts() == (3, {"strict": 1, "share": 1})
    assert panel.take_counts() == (0, {})


def test_a_part_is_extracted_once_for_all_scorers_with_the_same_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    found = Extract.__call__

    def counted(extract: Extract, text: str) -> Found:
        asked.append(text)
        return found(extract, text)

    monkeypatch.setattr(Extract, "__call__", counted)
    scores("Answer: Paris", MARKER, "Paris", **PACK)
    assert asked == ["Answer: Paris"]


def test_without_extract_scores_are_unchanged() -> None:
    scorers = {"a": scorer_of("exact_match"), "b": scorer_of("token_f1")}
    gold = prepare_gold(item_of("Paris"), "custom", ScoringSettings())
    for text in ("Paris", "in Paris", "", "I don't know."):
        assert Panel(scorers).score(gold, Response(text)) == score_answer(gold, Response(text), scorers)
        assert Panel(scorers).take_counts() == (0, {})


@pytest.mark.parametrize("kind", [kind for kind in registry.SCORERS if kind not in {"command", *registry.JUDGES}])
def test_every_scorer_type_scores_an_answer_without_the_part(kind: str) -> None:
    _, entry = configured(kind)
    scorer = typed(registry.load("scorer", entry.kind), entry.settings)
    panel = Panel({"s": scorer}, {"s": Extract(typed_steps({"after": "@@"}))})
    low, high = scorer.declared.range
    for answers in (("8",), ()):
        item = item_of(*answers, context="It has 8.", choices=("6", "8"))
        (score,) = panel.score(prepare_gold(item, "custom", ScoringSettings()), Response("It has 8 legs."))
        assert score != score or low <= score <= high  # noqa: PLR0124 - NaN is what differs from itself
        assert scorer.declared.role != "accuracy" or score == 0
