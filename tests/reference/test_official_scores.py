"""EM and F1 equal the official evaluations, value by value, on made-up answers to made-up and to real questions."""

# ruff: noqa: RUF001 - answers in every quote style

import functools
import itertools
import json
from collections.abc import Callable

import numpy as np
import pytest

from promptrial.model import Item
from promptrial.registry import DATASETS
from promptrial.scoring.base import ScoringSettings, prepare_answer, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.normalize import RULES, EvaluationRules, rules_for
from promptrial.scoring.panel import score_answer
from promptrial.scoring.types.exact_match import ExactMatch, exact_match
from promptrial.scoring.types.token_f1 import TokenF1, token_f1
from tests.reference.official_evaluation import NORMALIZERS, official_scores, scored_response
from tests.support.questions import FORMATS, made_up_file, real_file

SOURCES = [
    pytest.param(name, real, id=f"{name}-{'real' if real else 'made up'}") for name in FORMATS for real in (0, 1)
]
on_every_source = pytest.mark.parametrize(("format_name", "real"), SOURCES)
N_ANSWERS = 500
SETTINGS = ScoringSettings()


@functools.cache
def golds_of(format_name: str, real: bool) -> list[tuple[str, ...]]:
    text = (real_file if real else made_up_file)(format_name).read_text(encoding="utf-8")
    if format_name == "nq_open":
        return [tuple(json.loads(line)["answer"]) for line in text.splitlines()]
    if format_name == "triviaqa":
        return [tuple(question["Answer"]["Aliases"]) for question in json.loads(text)["Data"]]
    return [
        tuple(answer["text"] for answer in question["answers"])
        for article in json.loads(text)["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


def rules_named(name: str) -> EvaluationRules:
    return rules_for("custom") if name == "custom" else RULES[name]


def shuffled(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    return " ".join(words[i] for i in rng.permutation(len(words)))


def partial(text: str, rng: np.random.Generator) -> str:
    words = text.split()
    return " ".join(words[: int(rng.integers(0, len(words) + 1))])


def punctuated(text: str, rng: np.random.Generator) -> str:
    marks = list("'’‘´`.,;:!?()[]{}_-–—/\\\"“”…*#&%$@+=<>|~^ \t\n\x00\x1c\u00a0")
    return "".join(c + (str(rng.choice(marks)) if rng.random() < 0.3 else "") for c in text)


def with_articles(text: str, rng: np.random.Generator) -> str:
    return " ".join(f"{rng.choice(['the', 'A', 'an', 'The–', 'a’s', ''])} {word}" for word in text.split())


def unicode_variant(text: str, rng: np.random.Generator) -> str:
    swaps = {"e": "é", "o": "o\u0308", "i": "İ", "n": "ñ", "s": "ß", "a": "å", "k": "\u212a", "u": "ｕ"}
    return "".join(swaps.get(c, c) if rng.random() < 0.4 else c for c in text)


def repeated(text: str, rng: np.random.Generator) -> str:
    return " ".join(itertools.repeat(text, int(rng.integers(2, 4))))


def sentence(text: str, rng: np.random.Generator) -> str:
    return f"The answer is {text.upper() if rng.random() < 0.5 else text.title()}, a well-known one."


def empty(text: str, rng: np.random.Generator) -> str:  # noqa: ARG001 - one of several makers
    return str(rng.choice(["", " ", "the", "A.", "...", "\n", "-"]))


MAKERS: list[Callable[[str, np.random.Generator], str]] = [
    lambda text, _: text,
    shuffled,
    partial,
    punctuated,
    with_articles,
    unicode_variant,
    repeated,
    sentence,
    empty,
]


@functools.cache
def made_up(format_name: str, real: bool) -> list[tuple[tuple[str, ...], str]]:
    """Pairs of accepted answers and a made-up answer: from the same question mostly, from another one at times."""
    rng = np.random.default_rng(20240611)
    questions = golds_of(format_name, real)
    texts = [text for golds in questions for text in golds]
    pairs = []
    for i in range(N_ANSWERS):
        golds = questions[int(rng.integers(len(questions)))]
        own = golds and rng.random() < 0.8
        source = golds[int(rng.integers(len(golds)))] if own else texts[int(rng.integers(len(texts)))]
        answer = MAKERS[i % len(MAKERS)](source, rng)
        if rng.random() < 0.2:
            answer = MAKERS[int(rng.integers(len(MAKERS) - 1))](answer, rng)
        pairs.append((golds, answer))
    return pairs


@on_every_source
def test_generated_answers_cover_right_wrong_and_partly_right(format_name: str, real: bool) -> None:
    scores = [official_scores(format_name, golds, answer) for golds, answer in made_up(format_name, real)]
    assert sum(em == 1 for em, _ in scores) >= 50
    assert sum(0 < f1 < 1 for _, f1 in scores) >= 50
    assert sum(f1 == 0 for _, f1 in scores) >= 50


@on_every_source
def test_em_and_f1_of_500_generated_answers_equal_the_official_ones(format_name: str, real: bool) -> None:
    rules = rules_for(format_name)
    for golds, answer in made_up(format_name, real):
        ours = exact_match(answer, golds, rules), token_f1(answer, golds, rules)
        assert ours == official_scores(format_name, golds, answer), (golds, answer)


@on_every_source
def test_scored_responses_equal_the_official_scores_of_text_or_null_prediction(format_name: str, real: bool) -> None:
    for golds, answer in made_up(format_name, real):
        item = Item(id="i", dataset="d", question="q", answers=golds, is_unanswerable=not golds)
        gold = prepare_gold(item, format_name, SETTINGS)
        abstained = prepare_answer(gold, Response(answer)).abstained
        expected = scored_response(format_name, golds, answer, abstained=abstained)
        assert score_answer(gold, Response(answer), {"em": ExactMatch(), "f1": TokenF1()}) == expected, (golds, answer)


@pytest.mark.parametrize(("source", "real"), SOURCES)
@pytest.mark.parametrize("format_name", NORMALIZERS)
def test_normalisers_equal_the_official_ones_on_every_accepted_answer(
    format_name: str, source: str, real: bool
) -> None:
    rules = rules_named(format_name)
    for gold in itertools.chain.from_iterable(golds_of(source, real)):
        assert rules.normalize(gold) == NORMALIZERS[format_name](gold)


def test_every_dataset_format_with_its_own_rules_has_an_official_evaluation() -> None:
    assert {"custom", "squad_v1", *(name for name in DATASETS if name in RULES)} == set(NORMALIZERS)


@pytest.mark.parametrize(
    ("format_name", "golds", "prediction", "expected"),
    [
        # Worked by hand from the definitions, so that a mistake common to both evaluations cannot hide.
        ("squad_v2", ("Denmark, Iceland and Norway",), "Norway and Denmark", (0.0, 2 * 1.0 * 0.75 / 1.75)),
        ("squad_v2", ("10th and 11th centuries", "in the 10th and 11th centuries"), "the 10th century", (0.0, 1 / 3)),
        ("squad_v2", ("the the cat cat",), "cat", (0.0, 2 * 1.0 * 0.5 / 1.5)),  # multisets: the second cat is missing
        ("squad_v2", (), "", (1.0, 1.0)),
        ("squad_v2", (), "Paris", (0.0, 0.0)),
        ("squad_v2", ("The", "Paris"), "", (0.0, 0.0)),  # an accepted answer of an article only is dropped
        ("squad_v1", ("The", "Paris"), "an", (1.0, 0.0)),  # 1.1 drops none, and finds no token in common
        ("squad_v1", ("the cat",), "A cat!", (1.0, 1.0)),
        ("squad_v2", ("O'Neil",), "oneil", (1.0, 1.0)),
        ("squad_v2", ("O’Neil",), "oneil", (0.0, 0.0)),  # a curly apostrophe is not ASCII punctuation
        ("triviaqa", ("O’Neil",), "O NEIL", (1.0, 1.0)),
        ("triviaqa", ("Sunset_Boulevard",), "the sunset-boulevard", (1.0, 1.0)),
        ("triviaqa", ("The The",), "the the", (1.0, 0.0)),  # no token in common, as the script has it
        ("nq_open", ("Beyonce\u0301",), "Beyonc\u00e9", (1.0, 1.0)),
        ("nq_open", ("A+", "AB+"), "A+", (1.0, 1.0)),
    ],
)
def test_hand_worked_scores_hold_for_both_evaluations(
    format_name: str, golds: tuple[str, ...], prediction: str, expected: tuple[float, float]
) -> None:
    rules = rules_named(format_name)
    assert official_scores(format_name, golds, prediction) == pytest.approx(expected, abs=1e-15)
    ours = exact_match(prediction, golds, rules), token_f1(prediction, golds, rules)
    assert ours == pytest.approx(expected, abs=1e-15)
