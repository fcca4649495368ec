"""Logs of Inspect: ``.eval`` (a zip archive) and ``.json``; the model is the arm, the epoch the replicate.

An archive holds ``header.json`` and ``summaries.json``, which has the scores of every sample; a log that was not
finished has ``_journal/summaries/*.json`` instead, and an old one ``samples/*.json`` alone. The letters that stand for
scores count as Inspect counts them: C 1, P 0.5, I and N 0. A sample that failed is missing.

References
----------
UK AI Security Institute's Inspect, log versions 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

from promptrial.comparison.elsewhere.json_lines import decoded
from promptrial.comparison.elsewhere.json_text import open_document, without_nan
from promptrial.comparison.elsewhere.rows import (
    SEE,
    Opened,
    ReadingNotes,
    ResultFormat,
    RowTexts,
    ScoreRow,
    fingerprint,
    first_text,
    unknown,
)
from promptrial.comparison.elsewhere.zip_members import Members, open_members
from promptrial.datasets.json_errors import too_deep
from promptrial.datasets.place import Place
from promptrial.datasets.type_words import in_words
from promptrial.datasets.value_texts import text_of
from promptrial.errors import UsageError

__all__ = ["FORMAT"]

T = TypeVar("T")
_VERSIONS: Final = (1, 2)
_LETTERS: Final = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_MOST_HEADER: Final = 256 << 20
_MOST_SUMMARIES: Final = 1 << 30
_MOST_SAMPLE: Final = 256 << 20


class _Eval(msgspec.Struct):
    task: str = ""
    model: str | None = None


class _Header(msgspec.Struct):
    eval: _Eval
    version: int = 1
    status: str = "started"


class _Log(_Header):
    samples: list[msgspec.Raw] | None = None


class _Score(msgspec.Struct):
    value: Any = None
    answer: Any = None


class _Sample(msgspec.Struct):
    id: int | str
    epoch: int = 1
    input: msgspec.Raw = msgspec.Raw(b"null")
    target: Any = None
    scores: dict[str, _Score] | None = None
    score: _Score | None = None
    error: Any = None
    metadata: dict[str, Any] | None = None


def _recognises(opened: Opened) -> bool:
    if opened.content is None or opened.content.binary == "zip":
        return opened.file.path.suffix == ".eval"
    head = opened.content.head.lstrip()
    return head.startswith(b"{") and b'"eval"' in head[:4096] and b'"task"' in head and b'"version"' in head[:4096]


def _read(opened: Opened, notes: ReadingNotes) -> Iterator[ScoreRow]:
    if opened.content is None or opened.content.binary == "zip":
        with open_members(opened.file.path) as members:
            header, samples = _archived(Place(opened.file.path, 1), members)
            yield from _rows(opened, header, samples, notes)
        return
    with open_document(opened.content) as document:
        log = document.root(_Log)
        yield from _rows(opened, log, document.entries(log.samples or [], _Sample, "samples"), notes)


def _archived(place: Place, members: Members) -> tuple[_Header, Iterator[tuple[Place, _Sample]]]:
    names = [name for name in ("header.json", "_journal/start.json") if name in members]
    if not names:
        raise place.error("not a log of Inspect: it holds no header.json", hint=SEE)
    header = _decoded(place, members.read(names[0], _MOST_HEADER), _Header)
    return header, _samples(place, members)


def _samples(place: Place, members: Members) -> Iterator[tuple[Place, _Sample]]:
    """Yield the samples from the shortest source that holds all of them."""
    summaries = ["summaries.json"] if "summaries.json" in members else members.names("_journal/summaries/", ".json")
    for name in summaries:
        for sample in _decoded(place, members.read(name, _MOST_SUMMARIES), list[_Sample]):
            yield Place(place.path, 1, f"{name}, sample {sample.id}"), sample
    for name in members.names("samples/", ".json") if not summaries else ():
        yield Place(place.path, 1, name), _decoded(place, members.read(name, _MOST_SAMPLE), _Sample)


def _decoded(place: Place, data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(without_nan(data), type=kind)
    except msgspec.ValidationError as error:
        raise place.error(f"not a log of Inspect: {in_words(error)}", hint=SEE) from error
    except RecursionError as error:
        raise too_deep(place) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise place.error(f"a member that is not valid JSON: {error}", hint=f"copy the log again; {SEE}") from error


def _rows(
    opened: Opened, header: _Header, samples: Iterator[tuple[Place, _Sample]], notes: ReadingNotes
) -> Iterator[ScoreRow]:
    path = opened.file.path
    if header.version not in _VERSIONS:
        raise Place(path, 1).error(
            f"a log of version {header.version}; known are {', '.join(map(str, _VERSIONS))}",
            hint=f"upgrade promptrial, or export the scores as a table; {SEE}",
        )
    if header.status != "success":
        notes.say(f"{path.name}: Inspect's status is {header.status!r}; only the samples that it holds count")
    for place, sample in samples:
        yield ScoreRow(
            place,
            f"{header.eval.task}/{sample.id}",
            _scores(sample, notes),
            arm=header.eval.model or "",
            replicate=str(sample.epoch),
            cluster=_field(place, sample, "cluster", opened.columns.cluster),
            group=_field(place, sample, "group", opened.columns.group) or header.eval.task,
            content=fingerprint(bytes(sample.input)),
            texts=_texts(place, sample) if notes.room > 0 else None,
        )


def _texts(place: Place, sample: _Sample) -> RowTexts:
    """Return the input (of messages, what the user said last), the target, and the answer as a scorer saw it."""
    asked = decoded(place, sample.input)
    if isinstance(asked, list):
        said = [each.get("content") for each in asked if isinstance(each, dict) and each.get("role") == "user"]
        asked = said[-1] if said else ""
    answers = [score.answer for score in (sample.scores or {}).values() if isinstance(score.answer, str)]
    return RowTexts(first_text(asked), first_text(sample.target), answers[0] if answers else "")


def _field(place: Place, sample: _Sample, what: str, name: str) -> str:
    if not name:
        return ""
    fields = sample.metadata or {}
    if name not in fields:
        raise UsageError(f"{place} --{what} {name}: {unknown('field of metadata', name, [*fields])}")
    return text_of(fields[name])


def _scores(sample: _Sample, notes: ReadingNotes) -> dict[str, float | None]:
    given = sample.scores or ({} if sample.score is None else {"score": sample.score})
    found: dict[str, float | None] = {}
    for name, score in given.items():
        parts = {f"{name}.{key}": part for key, part in score.value.items()} if isinstance(score.value, dict) else None
        for measure, value in (parts or {name: score.value}).items():
            if isinstance(value, str) and value in _LETTERS:
                found[measure] = _LETTERS[value]
                notes.directions[measure] = "higher"
            else:
                notes.score(found, measure, value)
    if sample.error is not None:
        notes.counts["samples that failed, missing"] += 1
        return dict.fromkeys(found)
    return found


FORMAT: Final = ResultFormat(
    name="inspect",
    label="logs of Inspect",
    recognises=_recognises,
    read=_read,
    patterns=("*.eval", "*.json"),
)
