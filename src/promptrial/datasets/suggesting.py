"""Which column of a table looks like the accepted answers, where none has a well-known name: it is only suggested.

Nothing is read from such a column. A file that has one is refused with the line to write, because questions without
gold answers would be measured by something else, such as their length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.datasets.choices import lettered
from promptrial.datasets.columns import Given, flat, fold, listed
from promptrial.datasets.place import Place
from promptrial.model.templates import LETTERS

__all__ = ["as_yaml", "check_answers"]

_SEE: Final = "see docs/questions.md#questions-without-a-gold-answer"
_PLAIN: Final = re.compile(r"[^\W\d]\w*")
_WORDS: Final = """
answer answers answerkey solution solutions reference references response responses completion completions output
outputs truth groundtruth golden golds targets ideals labels expectation
antwort antworten lösung lösungen loesung loesungen referenz
réponse réponses reponse reponses solución soluciones respuesta respuestas risposta risposte soluzione soluzioni
resposta respostas solução soluções antwoord antwoorden oplossing svar vastaus vastaukset
odpowiedź odpowiedzi odpověď odpoveď válasz válaszok răspuns răspunsuri cevap cevaplar jawaban
ответ ответы відповідь отговор απάντηση απαντήσεις
答案 回答 解答 答え 正解 정답 답변 답 إجابة الإجابة جواب תשובה उत्तर
"""
_LAST_WORDS: Final = frozenset(map(fold, _WORDS.split()))
"""Words that a column of answers may be called, or its name may end in: ``correct_answer``, ``model output``."""
_FIRST_WORDS: Final = frozenset({"answer", "correct", "gold", "expected", "right", "target", "reference"})
_THINGS: Final = frozenset({"text", "key", "letter", "option", "choice", "index", "idx", "value", "number", "label"})
"""What follows one of the first words in a name such as ``correct_option`` or ``answer_text``."""


def check_answers(path: Path, rows: Sequence[Mapping[str, Any]], columns: Given) -> None:
    """Refuse a table without a column of answers, if another column looks like answers, or the questions have choices.

    Parameters
    ----------
    path : Path
    rows : sequence of mapping
        The first rows.
    columns : mapping
        Role -> column or columns, as they were matched by well-known names.

    Raises
    ------
    DataError
        The message names the column, and says what to write.
    """
    if columns.get("answers"):
        return
    choices = tuple(flat([columns.get("choices", ())]))
    used = set(flat(columns.values()))
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    others = [name for name in names if name not in used and any(row.get(name) not in (None, "") for row in rows)]
    found = next(_looking_like(others), None)
    if found is None and choices:
        found = next((name for name in others if _marks_choices([row.get(name) for row in rows], rows, choices)), None)
    question = as_yaml(str(columns["question"]))
    without = f"if the questions have no accepted answers, write `columns: {{question: {question}}}`"
    if found is not None:
        wanted = f"write `columns: {{answers: {as_yaml(found)}}}` in the section of the data set"
        raise Place(path, 1).error(
            f"no column is recognised as the accepted answers, but {found[:60]!r} looks like it",
            hint=f"if it holds them, {wanted}; {without}; {_SEE}",
        )
    if choices:
        raise Place(path, 1).error(
            f"the questions have choices ({listed(choices)}), but no column is recognised as the right one",
            hint="name its column in the section of the data set, as in `columns: {answers: COLUMN}`; "
            f"{without}; {_SEE}",
        )


def _looking_like(names: Sequence[str]) -> Iterator[str]:
    """Yield the columns whose names say that they hold answers."""
    for name in names:
        folded = unicodedata.normalize("NFC", fold(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)))
        words = folded.split("_")
        is_pair = len(words) > 1 and words[0] in _FIRST_WORDS and words[-1] in _THINGS
        if folded in _LAST_WORDS or words[-1] in _LAST_WORDS or is_pair:
            yield name


def _marks_choices(values: Sequence[Any], rows: Sequence[Mapping[str, Any]], choices: Sequence[str]) -> bool:
    """Tell whether every value of a column is a letter of a choice, or the text of one in its row."""
    if len(choices) < 2:
        return all(isinstance(value, str) and lettered(LETTERS, value) is not None for value in values)
    return all(
        isinstance(value, str)
        and (lettered(choices, value) is not None or value in [row.get(name) for name in choices])
        for value, row in zip(values, rows, strict=True)
    )


def as_yaml(name: str) -> str:
    """Return the name of a column as it is written in a configuration."""
    return name if _PLAIN.fullmatch(name) else msgspec.json.encode(name).decode()
