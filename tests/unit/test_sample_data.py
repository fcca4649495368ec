"""The shipped sample: its form, its balance, and that the datasheet tells the truth about it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pytest

from promptrial.datasets.clusters import cluster_id
from promptrial.datasets.custom import FORMAT as CUSTOM
from promptrial.datasets.squad_v2 import FORMAT as SQUAD_V2
from promptrial.scoring.normalize import rules_for

SAMPLE: Final = Path(__file__).parents[2] / "data" / "sample"
CLOSED: Final = SAMPLE / "closed_book.jsonl"
OPEN: Final = SAMPLE / "open_book.json"
DATASHEET: Final = (SAMPLE / "DATASHEET.md").read_text(encoding="utf-8")
TOPIC_ROW: Final = re.compile(r"^\| ([^|]+) \| `(cb_\d+)` \| `(cb_\d+)` \| (\d+) \| (\d+) \|$", re.MULTILINE)


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    question: str
    answers: list[str]


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    answer_start: int


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    question: str
    answers: list[Span]
    is_impossible: bool


class Passage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    context: str
    qas: list[Question]


class Article(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    paragraphs: list[Passage]


class OpenFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: str
    data: list[Article]


class Topic(NamedTuple):
    name: str
    first: str
    last: str
    questions: int
    very_easy: int


@pytest.fixture(scope="module")
def closed() -> list[Closed]:
    return [msgspec.json.decode(line, type=Closed) for line in CLOSED.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    return msgspec.json.decode(OPEN.read_bytes(), type=OpenFile).data


@pytest.fixture(scope="module")
def passages(articles: list[Article]) -> list[Passage]:
    return [passage for article in articles for passage in article.paragraphs]


@pytest.fixture(scope="module")
def questions(passages: list[Passage]) -> list[Question]:
    return [question for passage in passages for question in passage.qas]


@pytest.fixture(scope="module")
def topics() -> list[Topic]:
    return [Topic(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in TOPIC_ROW.findall(DATASHEET)]


def spans(passages: list[Passage]) -> Iterator[tuple[str, Span]]:
    return ((passage.context, span) for passage in passages for question in passage.qas for span in question.answers)


def folded(texts: list[str]) -> set[str]:
    """Texts as a reader compares them: two that differ in case, punctuation or articles are one."""
    return {rules_for("custom").normalize(text) for text in texts}


def stated(what: str) -> int:
    """The count that the datasheet gives for one thing."""
    row = re.search(rf"^\| {re.escape(what)} \| (\d+) \|$", DATASHEET, re.MULTILINE)
    assert row, f"the datasheet has no row {what!r}"
    return int(row.group(1))


def test_the_sample_is_as_large_as_promised(closed: list[Closed], passages: list[Passage]) -> None:
    assert len(closed) >= 120
    assert len(passages) >= 30


def test_ids_are_unique_and_consecutive_across_both_files(
    closed: list[Closed], passages: list[Passage], questions: list[Question]
) -> None:
    assert [row.id for row in closed] == [f"cb_{number:03d}" for number in range(1, len(closed) + 1)]
    assert [question.id for question in questions] == [
        f"ob_{number:02d}_{place}" for number in range(1, len(passages) + 1) for place in range(1, 5)
    ]


def test_no_question_and_no_passage_occurs_twice(
    closed: list[Closed], passages: list[Passage], questions: list[Question]
) -> None:
    assert len(folded([row.question for row in closed])) == len(closed)
    assert len(folded([question.question for question in questions])) == len(questions)
    assert len(folded([passage.context for passage in passages])) == len(passages)


def test_no_text_is_empty_or_padded(closed: list[Closed], articles: list[Article], questions: list[Question]) -> None:
    texts = [text for row in closed for text in (row.id, row.question, *row.answers)]
    texts += [text for article in articles for text in (article.title, *(p.context for p in article.paragraphs))]
    texts += [text for q in questions for text in (q.id, q.question, *(span.text for span in q.answers))]
    assert [text for text in texts if not text or text != " ".join(text.split())] == []


def test_every_question_ends_with_a_question_mark(closed: list[Closed], questions: list[Question]) -> None:
    texts = [row.question for row in closed] + [question.question for question in questions]
    assert [text for text in texts if not text.endswith("?")] == []


def test_aliases_of_a_closed_book_item_stay_different_and_not_empty_after_normalisation(closed: list[Closed]) -> None:
    assert all(row.answers for row in closed)
    assert [row.id for row in closed if len(folded(row.answers)) != len(row.answers)] == []
    assert [row.id for row in closed if "" in folded(row.answers)] == []


def test_no_closed_book_question_contains_its_answer(closed: list[Closed]) -> None:
    normalize = rules_for("custom").normalize
    leaks = [
        (row.id, alias)
        for row in closed
        for alias in row.answers
        if f" {normalize(alias)} " in f" {normalize(row.question)} "
    ]
    assert leaks == []


def test_spans_are_verbatim_at_their_offset_between_word_boundaries(passages: list[Passage]) -> None:
    for context, span in spans(passages):
        end = span.answer_start + len(span.text)
        assert span.answer_start >= 0
        assert context[span.answer_start : end] == span.text
        assert not context[max(0, span.answer_start - 1) : span.answer_start].isalnum(), span
        assert not context[end : end + 1].isalnum(), span
        assert 1 <= len(span.text.split()) <= 6


def test_spans_of_a_question_are_distinct_and_overlap(questions: list[Question]) -> None:
    for question in questions:
        texts = [span.text for span in question.answers]
        assert len(set(texts)) == len(texts), question.id
        if question.answers:
            latest_start = max(span.answer_start for span in question.answers)
            earliest_end = min(span.answer_start + len(span.text) for span in question.answers)
            assert latest_start < earliest_end, f"{question.id} points at two places"


def test_each_passage_has_two_answerable_and_two_unanswerable_questions(passages: list[Passage]) -> None:
    for passage in passages:
        flags = [question.is_impossible for question in passage.qas]
        assert sorted(flags) == [False, False, True, True]
        assert flags == [not question.answers for question in passage.qas]


def test_the_position_of_a_question_does_not_reveal_whether_it_has_an_answer(passages: list[Passage]) -> None:
    for place in range(4):
        unanswerable = sum(passage.qas[place].is_impossible for passage in passages)
        assert abs(unanswerable - len(passages) / 2) <= len(passages) / 6


def test_passages_have_60_to_140_words(passages: list[Passage]) -> None:
    assert [passage.context for passage in passages if not 60 <= len(passage.context.split()) <= 140] == []


def test_the_files_are_written_in_their_canonical_form() -> None:
    lines = CLOSED.read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines == [json.dumps(json.loads(line), ensure_ascii=False) + "\n" for line in lines]
    text = OPEN.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n"
    assert json.loads(text)["version"] == "v2.0"


def test_our_own_readers_read_both_files_completely(closed: list[Closed], passages: list[Passage]) -> None:
    read_closed = list(CUSTOM.read(CLOSED, "sample_closed"))
    assert [(item.id, item.question, list(item.answers), item.type) for item in read_closed] == [
        (row.id, row.question, row.answers, "closed") for row in closed
    ]
    read_open = list(SQUAD_V2.read(OPEN, "sample_open"))
    assert [(item.id, item.context, item.is_unanswerable) for item in read_open] == [
        (question.id, passage.context, question.is_impossible) for passage in passages for question in passage.qas
    ]
    assert len({cluster_id(item) for item in read_open}) == len(passages)


def test_the_counts_in_the_datasheet_are_those_of_the_files(
    closed: list[Closed], articles: list[Article], passages: list[Passage], questions: list[Question]
) -> None:
    unanswerable = sum(question.is_impossible for question in questions)
    assert stated("Closed-book questions") == len(closed)
    assert stated("Closed-book accepted answers, all aliases") == sum(len(row.answers) for row in closed)
    assert stated("Open-book articles") == len(articles)
    assert stated("Open-book passages") == len(passages)
    assert stated("Open-book questions") == len(questions)
    assert stated("Open-book questions, answerable") == len(questions) - unanswerable
    assert stated("Open-book questions, unanswerable") == unanswerable
    assert stated("Open-book accepted spans") == sum(1 for _ in spans(passages))


def test_the_datasheets_topics_cover_the_closed_book_file_end_to_end(closed: list[Closed], topics: list[Topic]) -> None:
    ids = [row.id for row in closed]
    covered: list[str] = []
    for topic in topics:
        block = ids[ids.index(topic.first) : ids.index(topic.last) + 1]
        assert len(block) == topic.questions, topic.name
        assert 0 < topic.very_easy < topic.questions, topic.name
        covered += block
    assert covered == ids
    assert sum(topic.very_easy for topic in topics) >= 40


def test_the_datasheets_prose_agrees_with_the_passages(articles: list[Article], passages: list[Passage]) -> None:
    words = [len(passage.context.split()) for passage in passages]
    prose = " ".join(DATASHEET.split())
    assert f"Each of the {len(articles)} articles has three passages of {min(words)} to {max(words)} words" in prose
    assert {len(article.paragraphs) for article in articles} == {3}
    names = [article.title.replace("_", " ") for article in articles]
    assert f"The articles are {', '.join(names[:-1])} and {names[-1]}." in prose
    assert f"{len(passages)} clusters" in prose
