"""Fuzzy match, ROUGE-L and BLEU against their libraries and against the published formulas, value by value."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import sacrebleu
from rapidfuzz import fuzz, utils
from rouge_score import rouge_scorer

from promptrial.config.typed import typed
from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import Response, Scorer
from promptrial.scoring.panel import score_answer
from promptrial.scoring.types.bleu import Bleu
from promptrial.scoring.types.fuzzy import Fuzzy
from promptrial.scoring.types.rouge_l import RougeL

WORDS = [
    "the",
    "The",
    "tide",
    "rises,",
    "twice",
    "a",
    "day;",
    "moon",
    "pulls",
    "water",
    "3.5",
    "km-wide",
    "harbours",
    "running",
    "runs",
    "runner",
    "U.S.",
    "1912",
    "über",
]


def made_up(n: int) -> list[tuple[str, tuple[str, ...]]]:
    """Return pairs of an answer and one to three accepted ones, some close and some far."""
    draw = random.Random(20260101)  # noqa: S311 - no secret
    pairs = []
    for _ in range(n):
        golds = [[draw.choice(WORDS) for _ in range(draw.randint(1, 9))] for _ in range(draw.randint(1, 3))]
        answer = list(draw.choice(golds))
        for _ in range(draw.randint(0, 4)):
            answer.insert(draw.randint(0, len(answer)), draw.choice(WORDS))
        if draw.random() < 0.4:
            draw.shuffle(answer)
        pairs.append((" ".join(answer), tuple(dict.fromkeys(" ".join(gold) for gold in golds))))
    return pairs


PAIRS = made_up(300)


def scored(scorer: Scorer, answer: str, golds: Sequence[str]) -> float:
    item = Item(id="1", dataset="d", question="q", answers=tuple(golds))
    (score,) = score_answer(prepare_gold(item, "squad_v2", ScoringSettings()), Response(answer), {"s": scorer})
    return score


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize(
    ("method", "reference"),
    [
        ("ratio", fuzz.ratio),
        ("token_sort", fuzz.token_sort_ratio),
        ("token_set", fuzz.token_set_ratio),
        ("partial", fuzz.partial_ratio),
    ],
)
def test_fuzzy_is_the_best_rapidfuzz_ratio_divided_by_100(method: str, reference: Any, normalize: bool) -> None:
    scorer = typed(Fuzzy, {"method": method, "normalize": normalize})
    process = utils.default_process if normalize else None
    for answer, golds in PAIRS:
        expected = max(reference(answer, gold, processor=process) for gold in golds) / 100
        assert scored(scorer, answer, golds) == expected


def longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    row = [0] * (len(other) + 1)
    for each in one:
        before = 0
        for place, wanted in enumerate(other, 1):
            before, row[place] = row[place], before + 1 if each == wanted else max(row[place], row[place - 1])
    return row[-1]


def test_the_ratio_is_twice_the_longest_common_subsequence_over_both_lengths() -> None:
    """The normalised indel similarity, as RapidFuzz defines ``ratio``."""
    for answer, golds in PAIRS:
        expected = max(2 * longest_common(answer, gold) / (len(answer) + len(gold)) for gold in golds)
        assert scored(Fuzzy(normalize=False), answer, golds) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("stemmer", [True, False])
def test_rouge_l_is_the_best_f_measure_of_rouge_score(stemmer: bool) -> None:
    reference = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=stemmer)
    for answer, golds in PAIRS:
        expected = max(reference.score(gold, answer)["rougeL"].fmeasure for gold in golds)
        assert scored(RougeL(stemmer=stemmer), answer, golds) == expected


def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence_of_words() -> None:
    """Lin (2004), with beta = 1 as ``rouge_score`` has it."""

    def words(text: str) -> list[str]:
        return re.findall("[a-z0-9]+", text.lower())

    for answer, golds in PAIRS:
        best = 0.0
        for gold in golds:
            common = longest_common(words(answer), words(gold))
            best = max(best, 2 * common / (len(words(answer)) + len(words(gold))))
        assert scored(RougeL(), answer, golds) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tokenize": "intl", "lowercase": True},
        {"tokenize": "char"},
        {"tokenize": "none", "smooth": "none"},
        {"smooth": "floor", "smooth_value": 0.2},
        {"smooth": "add-k", "max_order": 2},
    ],
)
def test_bleu_is_sentence_sacrebleu_with_all_references_divided_by_100(settings: dict[str, Any]) -> None:
    names = {"smooth": "smooth_method", "max_order": "max_ngram_order"}
    reference = sacrebleu.BLEU(effective_order=True, **{names.get(key, key): value for key, value in settings.items()})
    scorer = typed(Bleu, settings)
    for answer, golds in PAIRS:
        expected = min(1.0, reference.sentence_score(answer, list(golds)).score / 100)
        assert scored(scorer, answer, golds) == expected


def grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


def plain_bleu(answer: Sequence[str], golds: Sequence[Sequence[str]]) -> float:
    """Papineni et al. (2002) with exponential smoothing and the effective order, on words that are given."""
    logs, halved = [], 1.0
    for n in range(1, 5):
        own = grams(answer, n)
        if not own:
            break
        most: Counter[tuple[str, ...]] = Counter()
        for gold in golds:
            most |= grams(gold, n)
        matched = sum((own & most).values())
        if n == 1 and not matched:
            return 0.0
        if not matched:
            halved *= 2
        logs.append(math.log((matched or 1 / halved) / sum(own.values())))
    closest = min((abs(len(gold) - len(answer)), len(gold)) for gold in golds)[1]
    penalty = 1.0 if len(answer) >= closest else math.exp(1 - closest / len(answer))
    return penalty * math.exp(sum(logs) / len(logs))


def test_bleu_is_the_published_formula_on_words_between_spaces() -> None:
    scorer = Bleu(tokenize="none")
    for answer, golds in PAIRS:
        expected = plain_bleu(answer.split(), [gold.split() for gold in golds])
        assert scored(scorer, answer, golds) == pytest.approx(expected, abs=1e-9)
