"""The oracle: right, wrong and abstaining answers in chosen shares, from the gold answers of prepared questions.

For each request a number between 0 and 1 says how hard it is. Below the accuracy (for the treatment, accuracy and
effect) the answer is right, above 1 minus the abstention rate the oracle does not know, between them it is wrong. Of a
question without an answer it says that it does not know as often as it is right elsewhere.

The number is evenly spread over seeds, and correlated between requests. Shares of its variance belong to the passage
and to the item, the same for both arms, so that pairs are correlated; to the passage and the arm, as where a prompt
suits one passage and not the next, so that differences within a passage are correlated too, and its questions count for
less than as many on passages of their own; and to the request itself: arm, temperature and replicate.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Final, NamedTuple

import msgspec

from promptrial.datasets.clusters import cluster_id
from promptrial.errors import ConfigError, DataError
from promptrial.model import Item, RequestId, ids
from promptrial.model.arms import CONTROL, arm_code
from promptrial.store import jsonl
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal, answer_in_words, fraction, without_attempt
from promptrial_emulator.settings import EmulatorSettings

__all__ = ["ABSTENTION", "OracleResponder"]

ABSTENTION: Final = "I don't know."
_FILES: Final = ("open_book.jsonl", "closed_book.jsonl")
_OF_PASSAGE: Final = 0.2
_OF_ITEM: Final = 0.3
_OF_PASSAGE_AND_ARM: Final = 0.2
_OF_REQUEST: Final = 0.3
_NORMAL: Final = NormalDist()
_LEAST: Final = 1e-12


class _Row(msgspec.Struct, frozen=True):
    id: str
    dataset: str
    answers: tuple[str, ...]
    is_unanswerable: bool = False
    context: str | None = None
    cluster: str | None = None


class _Question(NamedTuple):
    """What is kept of a question: its passage only by name."""

    id: str
    dataset: str
    answers: tuple[str, ...]
    is_unanswerable: bool
    passage: str


class _Questions(NamedTuple):
    """The questions by data set and id, the tokens of hashed ids, and what the files looked like when read."""

    by_key: dict[tuple[str, str], _Question]
    tokens: dict[str, str]
    seen: tuple[tuple[int, int], ...]


_DECODER: Final = msgspec.json.Decoder(_Row)


class OracleResponder:
    """Answers requests whose ids name prepared questions; any other is refused, row by row.

    Raises
    ------
    ConfigError
        If no folder of questions was named.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        if settings.questions is None:
            raise ConfigError("the oracle needs prepared questions", hint="promptrial emulator --questions DIR ...")
        self._settings = settings
        # An arm that a hash stands for on the wire is known by its code alone.
        self._effects = {code: effect for name, effect in settings.effects for code in (name, arm_code(name))}
        self._folder = settings.questions
        self._questions = _Questions({}, {}, ())

    def replies(self, model: str, rows: Iterable[ChatRow]) -> Iterator[Answer | Refusal]:
        """Yield the answers.

        Raises
        ------
        ConfigError, DataError
            If the questions do not exist, or are damaged.
        """
        questions = self._current()
        for row in rows:
            try:
                rid = ids.wire_decode(without_attempt(row.custom_id), questions.tokens)
                question = questions.by_key[rid.dataset, rid.item_id]
            except (ValueError, KeyError):
                yield Refusal(400, f"the oracle does not know the question of {row.custom_id!r}")
                continue
            choices = range(int(row.body.get("n") or 1))
            yield answer_in_words(row, (self._text(model, rid, question, choice) for choice in choices))

    def close(self) -> None:
        """Do nothing."""

    def _current(self) -> _Questions:
        """Return the questions, read again if the files have changed."""
        paths = [path for path in (self._folder / name for name in _FILES) if path.exists()]
        seen = tuple((stat.st_mtime_ns, stat.st_size) for stat in (path.stat() for path in paths))
        if not paths:
            raise ConfigError(f"no prepared questions in {self._folder}: expected {' or '.join(_FILES)}")
        if seen != self._questions.seen:
            found = [question for path in paths for question in _read(path)]
            self._questions = _Questions(
                {(question.dataset, question.id): question for question in found},
                {ids.item_token(question.id): question.id for question in found},
                seen,
            )
        return self._questions

    def _text(self, model: str, rid: RequestId, question: _Question, choice: int) -> str:
        settings = self._settings
        effect = self._effects.get(rid.condition, settings.effect if rid.condition != CONTROL else 0.0)
        accuracy = settings.accuracy + effect
        hard = hardness(settings.seed, model, rid, question.passage, choice)
        if question.is_unanswerable:
            return ABSTENTION if hard < accuracy else _wrong(model, rid, choice)
        if hard < accuracy and question.answers:
            draw = fraction(settings.seed, model, rid, choice, "wording")
            return question.answers[int(draw * len(question.answers))]
        return ABSTENTION if hard >= 1 - settings.abstention else _wrong(model, rid, choice)


def hardness(seed: int, model: str, rid: RequestId, passage: str, choice: int = 0) -> float:
    """Return how hard a request is, evenly spread over [0, 1] over seeds.

    ``passage`` names the cluster of the item: what the questions on one passage share.
    """
    deviates = (
        (_OF_PASSAGE, _deviate(seed, model, "passage", passage)),
        (_OF_ITEM, _deviate(seed, model, rid.dataset, rid.item_id)),
        (_OF_PASSAGE_AND_ARM, _deviate(seed, model, "passage", passage, rid.condition)),
        (_OF_REQUEST, _deviate(seed, model, rid, choice)),
    )
    return _NORMAL.cdf(sum(math.sqrt(share) * deviate for share, deviate in deviates))


def _deviate(*what: object) -> float:
    return _NORMAL.inv_cdf(max(fraction(*what), _LEAST))


def _wrong(model: str, rid: RequestId, choice: int) -> str:
    """Return an answer that no question has."""
    return f"wrong{hashlib.sha256(repr((model, rid, choice)).encode()).hexdigest()[:8]}"


def _read(path: Path) -> Iterator[_Question]:
    for number, line in jsonl.numbered_lines(path):
        try:
            row = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not a prepared question: {error}") from error
        item = Item(
            id=row.id, dataset=row.dataset, question="", answers=row.answers, context=row.context, cluster=row.cluster
        )
        yield _Question(row.id, row.dataset, row.answers, row.is_unanswerable, cluster_id(item))
