"""EM and F1 straight from the official evaluations, for comparison with ``promptrial.scoring``; shares no code with it.

Sources: ``evaluate-v2.0.py`` (SQuAD 2.0), ``evaluate-v1.1.py`` (SQuAD 1.1), ``triviaqa_evaluation.py`` (TriviaQA) and
ORQA's ``eval_utils.py`` (NQ-open, which defines exact match only; its F1 is SQuAD's under NQ-open's normaliser).
Written for plainness: one character, one regular expression and one multiset at a time.
"""

# ruff: noqa: RUF001 - TriviaQA names the quote marks that it replaces

import collections
import re
import string
import unicodedata


def normalize_squad(text: str) -> str:
    lowered = text.lower()
    unpunctuated = "".join(character for character in lowered if character not in set(string.punctuation))
    return re.sub(r"\s+", " ", re.sub(r"\b(a|an|the)\b", " ", unpunctuated)).strip()


def normalize_nq_open(text: str) -> str:
    return normalize_squad(unicodedata.normalize("NFD", text))


def normalize_triviaqa(text: str) -> str:
    replaced = set(string.punctuation) | {"‘", "’", "´", "`"}
    lowered = text.replace("_", " ").lower()
    spaced = "".join(" " if character in replaced else character for character in lowered)
    return re.sub(r"\s+", " ", re.sub(r"\b(a|an|the)\b", " ", spaced)).strip()


NORMALIZERS = {
    "squad_v2": normalize_squad,
    "squad_v1": normalize_squad,
    "custom": normalize_squad,
    "nq_open": normalize_nq_open,
    "triviaqa": normalize_triviaqa,
}


def official_scores(format_name: str, answers: list[str] | tuple[str, ...], prediction: str) -> tuple[float, float]:
    """Return exact match and token F1 of a prediction; ``""`` is the prediction that there is no answer."""
    normalize = NORMALIZERS[format_name]
    golds = list(answers)
    if format_name in {"squad_v2", "custom"}:
        golds = [gold for gold in golds if normalize(gold)]
    if not golds:
        golds = [""]
    predicted = normalize(prediction)
    exact = max(float(normalize(gold) == predicted) for gold in golds)
    return exact, max(_f1(normalize(gold), predicted, format_name) for gold in golds)


def scored_response(
    format_name: str, answers: list[str] | tuple[str, ...], response: str, *, abstained: bool
) -> tuple[float, float]:
    """Return what promptrial must give a model's response: an abstention is right iff there is no accepted answer."""
    if abstained:
        return (0.0, 0.0) if answers else (1.0, 1.0)
    return official_scores(format_name, answers, response.strip())


def _f1(gold: str, predicted: str, format_name: str) -> float:
    gold_bag = collections.Counter(gold.split())
    predicted_bag = collections.Counter(predicted.split())
    if format_name not in {"triviaqa", "squad_v1"} and (not gold_bag or not predicted_bag):
        return float(gold_bag == predicted_bag)
    common = (gold_bag & predicted_bag).total()
    if common == 0:
        return 0.0
    precision = common / predicted_bag.total()
    recall = common / gold_bag.total()
    return 2 * precision * recall / (precision + recall)
