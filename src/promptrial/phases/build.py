"""Build: cut the items into parts and write one request file a part, the arms of the same items side by side.

Before anything is written, the scorer must recognise every refusal that the prompts mandate: an experiment whose
refusals would be counted as answers is stopped before it costs anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final

from promptrial.design import plan, prompts
from promptrial.model import Item, Part, Trial
from promptrial.phases.base import Context, Phase, Produced, load_manifest
from promptrial.phases.prepared import ItemReader, item_keys
from promptrial.phases.settings import scoring_settings
from promptrial.providers.request_rows import encode_request_row
from promptrial.scoring import selftest
from promptrial.store.atomic import AtomicFile
from promptrial.store.records import FileRecord

__all__ = ["PHASE"]

_ROW_BYTES: Final = 250
"""What a request has besides its texts."""


def _settings(context: Context, _: Trial | None) -> object:
    config = context.config
    return {
        "trials": [_describe(trial) for trial in context.trials],
        "task_instructions": config.task_instructions.model_dump(mode="json"),
        "parts_per_dataset": config.parts_per_dataset,
        "lines_per_part": config.lines_per_part,
        "scoring": config.scoring.model_dump(mode="json"),
    }


def _describe(trial: Trial) -> dict[str, Any]:
    """Return what a trial is, without the folder that its configuration happens to stand in."""
    values = asdict(trial)
    del values["model"]["folder"]
    return values


def _run(context: Context) -> Produced:
    _check_refusals(context)
    config = context.config
    n_items = sum(1 for _ in item_keys(context.run))
    rows: list[dict[str, Any]] = []
    artifacts = {}
    cut = {
        trial.slug: plan.cut_parts(
            trial, n_items, parts_per_dataset=config.parts_per_dataset, lines_per_part=config.lines_per_part
        )
        for trial in context.trials
    }
    reader = ItemReader(context.run)
    total = sum(part.rows for parts in cut.values() for part in parts)
    with context.progress.task("build", total) as task:
        for trial in context.trials:
            for _span, shard in groupby(cut[trial.slug], key=lambda part: (part.start, part.stop)):
                arms = list(shard)
                members = reader.take(arms[0].start, arms[0].stop)
                for part in arms:
                    context.stop.check()
                    path = context.run.trial(trial.slug).requests(part.name)
                    artifacts[path] = _write(context, part, trial, members)
                    rows.append({**asdict(part), "part": part.name})
                    task.advance(part.rows)
    return Produced(artifacts, {"parts": rows, "items": n_items, "requests": total})


def _space(context: Context, size_read: int) -> int:
    """Each trial repeats the items for every arm, temperature and replicate, with its prompts around them."""
    manifest = load_manifest(context.run.prepared / "manifest.json")
    n_items = manifest.facts["items"] if manifest is not None else 0
    repeats = sum(len(trial.conditions) * sum(trial.samples_per_item.values()) for trial in context.trials)
    instructions = context.config.task_instructions
    texts = [instructions.open_book.text, instructions.closed_book.text]
    texts += [prompt.text for trial in context.trials for prompt in trial.prompts.values()]
    return repeats * (size_read + n_items * (_ROW_BYTES + 2 * max(len(text.encode()) for text in texts)))


def _write(context: Context, part: Part, trial: Trial, members: Iterable[Item]) -> FileRecord:
    rows = 0
    with AtomicFile(context.run.trial(trial.slug).requests(part.name)) as file:
        for request in prompts.requests_of(part, list(members), trial, context.config.task_instructions):
            file.write(encode_request_row(request) + b"\n")
            rows += 1
    return FileRecord(file.sha256(), file.size, rows)


def _check_refusals(context: Context) -> None:
    instructions = context.config.task_instructions
    texts = [instructions.open_book.text, instructions.closed_book.text]
    texts += [prompt.text for trial in context.trials for prompt in trial.prompts.values()]
    refusals = list(dict.fromkeys(refusal for text in texts for refusal in selftest.mandated_refusals(text)))
    selftest.run(refusals, scoring_settings(context.config))


PHASE = Phase(
    name="build",
    reads=("prepare",),
    settings=_settings,
    run_whole=_run,
    manifest="batch_inputs/manifest.json",
    space=_space,
)
