"""Logged samples of lm-evaluation-harness: one file a task (``samples_TASK_TIME.jsonl``), one folder a model.

A line holds ``doc_id``, ``doc``, ``target``, what was sent and answered, and one key a measure; newer versions list
these in ``metrics`` and name the ``filter`` of the answers. The texts are passed over. Measures are called as the
harness's own results call them: ``acc``, or ``exact_match,strict-match`` where a filter has a name. Which are better
higher is read from ``results_*.json`` beside the file, where that is there.

References
----------
EleutherAI's lm-evaluation-harness, ``--log_samples`` (versions 0.4.0 to 0.4.9).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.comparison.elsewhere.json_lines import Raws, decoded, first_object, raw_lines
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
from promptrial.comparison.elsewhere.values import is_scalar, score_of
from promptrial.datasets.place import Place
from promptrial.datasets.value_texts import text_of
from promptrial.documents.files import read_bytes
from promptrial.errors import UsageError

__all__ = ["FORMAT"]

_NAME: Final = re.compile(r"samples_(?P<task>.+?)(?:_\d{4}-\d\d-\d\dT[\d.:-]+)?\.jsonl(?:\.gz|\.zst)?")
_ANSWERS: Final = frozenset({"resps", "filtered_resps"})
_NO_METRICS: Final = frozenset(
    {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash",
     "target_hash", "input", "task", "task_name", "idx", "bypass"}
)  # fmt: skip
_QUESTIONS: Final = ("question", "query", "problem", "prompt", "input", "text", "sentence", "ctx")
"""The fields of a document that may hold the question."""
_MOST_RESULTS: Final = 64 << 20
_LONGEST: Final = 64
"""Bytes of a measure that is a score; anything longer is a list or an object."""


class _Results(msgspec.Struct):
    higher_is_better: dict[str, dict[str, bool | None]] = {}


def _recognises(opened: Opened) -> bool:
    first = None if opened.content is None or opened.content.binary else first_object(opened.content)
    return first is not None and "doc_id" in first and bool(_ANSWERS & first.keys())


def _read(opened: Opened, notes: ReadingNotes) -> Iterator[ScoreRow]:
    path, content = opened.file.path, opened.content
    if content is None:
        return
    found = _NAME.fullmatch(path.name)
    task = found["task"] if found else path.name.partition(".")[0]
    for metric, is_higher in _directions(path, task).items():
        notes.directions[metric] = "higher" if is_higher else "lower"
    for place, raws in raw_lines(content):
        yield _row(place, raws, task, opened, notes)


def _row(place: Place, raws: Raws, task: str, opened: Opened, notes: ReadingNotes) -> ScoreRow:
    if "doc_id" not in raws:
        raise place.error(
            "not a logged sample: it has no `doc_id`", hint=f"write the log again with --log_samples; {SEE}"
        )
    columns = opened.columns
    fields = _fields(place, raws) if columns.cluster or columns.group else {}
    return ScoreRow(
        place,
        f"{task}/{text_of(decoded(place, raws['doc_id']))}",
        _metrics(place, raws, notes),
        arm=_arm(opened.file.path),
        cluster=_field(place, fields, "cluster", columns.cluster),
        group=_field(place, fields, "group", columns.group) if columns.group else task,
        content=text_of(decoded(place, raws["doc_hash"])) if "doc_hash" in raws else _digest(raws),
        texts=_texts(place, raws) if notes.room > 0 else None,
    )


def _texts(place: Place, raws: Raws) -> RowTexts:
    """Return the question of the document, or else the prompt; the target; and the answer, where one was written."""
    fields = _fields(place, raws)
    named = (text for name in _QUESTIONS if isinstance(text := fields.get(name), str))
    question = next(named, None) or first_text(decoded(place, raws["arguments"]) if "arguments" in raws else "")
    target = decoded(place, raws["target"]) if "target" in raws else None
    answers = decoded(place, raws["filtered_resps"]) if "filtered_resps" in raws else None
    answer = answers[0] if isinstance(answers, list) and answers else None
    return RowTexts(question, text_of(target), answer if isinstance(answer, str) else "")


def _arm(path: Path) -> str:
    """Return the model of a file: the name of its folder, with its slashes; empty where it has none."""
    return path.absolute().parent.name.replace("__", "/")


def _digest(raws: Raws) -> str:
    return fingerprint(bytes(raws["doc"])) if "doc" in raws else ""


def _metrics(place: Place, raws: Raws, notes: ReadingNotes) -> dict[str, float | None]:
    listed = decoded(place, raws["metrics"]) if "metrics" in raws else None
    names = [str(name) for name in listed] if isinstance(listed, list) else [*raws]
    of_filter = text_of(decoded(place, raws["filter"])) if "filter" in raws else "none"
    suffix = "" if of_filter in {"none", ""} else f",{of_filter}"
    found: dict[str, float | None] = {}
    for name in names:
        if name in _NO_METRICS or name not in raws:
            continue
        value = decoded(place, raws[name]) if len(memoryview(raws[name])) <= _LONGEST else []
        if value is None or is_scalar(value):
            found[f"{name}{suffix}"] = None if value is None else score_of(value)
            if name in notes.directions and suffix:
                notes.directions[f"{name}{suffix}"] = notes.directions[name]
        elif isinstance(listed, list):
            notes.counts[f"values of {name} that are no single number, not read"] += 1
    return found


def _fields(place: Place, raws: Raws) -> Mapping[str, Any]:
    doc = decoded(place, raws["doc"]) if "doc" in raws else None
    return doc if isinstance(doc, dict) else {}


def _field(place: Place, fields: Mapping[str, Any], what: str, name: str) -> str:
    if not name:
        return ""
    if name not in fields:
        raise UsageError(f"{place} --{what} {name}: {unknown('field of doc', name, [*fields])}")
    return text_of(fields[name])


def _directions(path: Path, task: str) -> dict[str, bool]:
    """Return which measures of a task are better higher, as the results of the newest run beside the file say."""
    for beside in sorted(path.parent.glob("results_*.json"), reverse=True)[:1]:
        try:
            results = msgspec.json.decode(read_bytes(beside, _MOST_RESULTS), type=_Results)
        except (OSError, ValueError, RecursionError):  # it only tells a direction, which flags can give
            return {}
        return {name: known for name, known in results.higher_is_better.get(task, {}).items() if known is not None}
    return {}


FORMAT: Final = ResultFormat(
    name="lm_eval",
    label="samples of lm-evaluation-harness",
    recognises=_recognises,
    read=_read,
    patterns=("samples_*.jsonl", "samples_*.jsonl.gz", "samples_*.jsonl.zst"),
    preferred=("acc",),
)
