"""Per-instance results of HELM: ``per_instance_stats.json`` of a run. Its folder or ``run_spec.json`` names the model.

The folder of a run is called ``SCENARIO:key=value,...,model=MODEL``. What it says besides the model is the group, and
with the instance's id the item; ``train_trial_index`` is the replicate. Instances that HELM has perturbed are passed
over, and so are the figures that are no scores (counts of tokens, times, and the like). Texts are those of
``scenario_state.json`` beside the file.

References
----------
Stanford CRFM's HELM, files of ``helm-run`` (versions 0.2 to 0.5).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.comparison.elsewhere.json_text import open_document
from promptrial.comparison.elsewhere.rows import (
    LONGEST_TEXT,
    Opened,
    ReadingNotes,
    ResultFormat,
    RowTexts,
    ScoreRow,
    first_text,
)
from promptrial.datasets.encodings import open_content
from promptrial.datasets.place import Place
from promptrial.documents.files import read_bytes
from promptrial.errors import DataError, UsageError

__all__ = ["FORMAT"]

_FILE: Final = "per_instance_stats.json"
_STATE: Final = "scenario_state.json"
_MODEL: Final = re.compile(r"(?:^|,|:)model=([^,]+)")
_NO_SCORES: Final = re.compile(
    r"num_|max_prob|logprob|finish_reason_|inference_|training_|prompt_|predicted_index|batch_size|estimated_|"
    r"(?:un)?known_|perplexity_runtime"
)
_MOST_SPEC: Final = 16 << 20


class _Name(msgspec.Struct):
    name: str
    perturbation: Any = None


class _Stat(msgspec.Struct):
    name: _Name
    count: int = 0
    sum: float | None = None


class _Instance(msgspec.Struct):
    instance_id: str
    stats: list[_Stat]
    train_trial_index: int = 0
    perturbation: Any = None


class _Reference(msgspec.Struct):
    output: Any = None
    tags: list[str] = []


class _Asked(msgspec.Struct):
    id: str
    input: Any = None
    references: list[_Reference] = []
    perturbation: Any = None


class _State(msgspec.Struct):
    instance: _Asked
    train_trial_index: int = 0
    result: Any = None


class _States(msgspec.Struct):
    request_states: list[msgspec.Raw]


class _Adapter(msgspec.Struct):
    model: str = ""


class _Spec(msgspec.Struct):
    name: str = ""
    adapter_spec: _Adapter = msgspec.field(default_factory=_Adapter)


def _recognises(opened: Opened) -> bool:
    content = opened.content
    if content is None or content.binary:
        return False
    head = content.head.lstrip()[:4096]
    return opened.file.path.name == _STATE or (
        head.startswith(b"[") and b'"instance_id"' in head and b'"stats"' in head
    )


def _read(opened: Opened, notes: ReadingNotes) -> Iterator[ScoreRow]:
    path, content = opened.file.path, opened.content
    if content is None:
        return
    if path.name == _STATE:
        raise Place(path, 1).error(
            "this file of HELM has requests and answers, and no scores",
            hint=f"give {_FILE} beside it: promptrial analyze {shlex.quote(str(path.with_name(_FILE)))}",
        )
    if opened.columns.cluster or opened.columns.group:
        raise UsageError(
            f"{path}: --cluster and --group name fields of an item, and per-instance results of HELM have none",
            hint="leave them out: the scenario of the run is the group",
        )
    spec, texts = _spec(path), _texts_beside(path, notes)
    with open_document(content) as document:
        for place, instance in document.entries(document.root(list[msgspec.Raw]), _Instance, ""):
            if instance.perturbation is not None:
                notes.counts["instances that HELM perturbed, passed over"] += 1
            else:
                yield _row(place, instance, spec, opened, texts)


def _texts_beside(path: Path, notes: ReadingNotes) -> dict[tuple[str, int], RowTexts]:
    """Return the texts of a run by instance and trial, as far as there is room, from ``scenario_state.json``."""
    beside, found, room = path.with_name(_STATE), {}, notes.room
    if room <= 0 or not beside.is_file():
        return {}
    try:
        with open_document(open_content(beside)) as document:
            states = document.root(_States).request_states
            for _, state in document.entries(states, _State, "request_states"):
                if state.instance.perturbation is None and room > 0:
                    texts = _texts(state)
                    found[state.instance.id, state.train_trial_index] = texts
                    room -= sum(map(len, texts))
    except DataError as error:
        notes.say(f"the texts of HELM are left out: {error.message}")
    return found


def _texts(state: _State) -> RowTexts:
    right = [first_text(each.output) for each in state.instance.references if "correct" in each.tags]
    completions = state.result.get("completions") if isinstance(state.result, dict) else None
    answer = first_text(completions)[:LONGEST_TEXT]
    return RowTexts(first_text(state.instance.input)[:LONGEST_TEXT], right[0][:LONGEST_TEXT] if right else "", answer)


def _spec(path: Path) -> _Spec:
    """Return what a run was: by its ``run_spec.json``, or else by the name of its folder."""
    name = path.absolute().parent.name
    beside = path.with_name("run_spec.json")
    if beside.is_file():
        try:
            spec = msgspec.json.decode(read_bytes(beside, _MOST_SPEC), type=_Spec)
        except (OSError, ValueError, RecursionError) as error:
            raise Place(beside, 1).error(
                f"not a run_spec.json of HELM: {error}", hint="copy it again, or remove it"
            ) from error
        return _Spec(spec.name or name, spec.adapter_spec)
    return _Spec(name)


def _row(
    place: Place, instance: _Instance, spec: _Spec, opened: Opened, texts: Mapping[tuple[str, int], RowTexts]
) -> ScoreRow:
    named = _MODEL.search(spec.name)
    model = spec.adapter_spec.model or (named[1].replace("_", "/", 1) if named else "")
    scenario = _MODEL.sub("", spec.name).strip(",:")
    wanted = opened.columns.scores
    scores = {
        stat.name.name: None if stat.sum is None or not stat.count else stat.sum / stat.count
        for stat in instance.stats
        if stat.name.perturbation is None and (stat.name.name in wanted or not _NO_SCORES.match(stat.name.name))
    }
    return ScoreRow(
        place, f"{scenario}/{instance.instance_id}", scores, arm=model, replicate=str(instance.train_trial_index),
        group=scenario, texts=texts.get((instance.instance_id, instance.train_trial_index)),
    )  # fmt: skip


FORMAT: Final = ResultFormat(
    name="helm",
    label="per-instance results of HELM",
    recognises=_recognises,
    read=_read,
    patterns=(_FILE,),
    preferred=("exact_*", "quasi_exact_*", "prefix_exact_*", "quasi_prefix_exact_*", "f1_score"),
)
