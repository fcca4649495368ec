"""Build: cut the items into parts and write one request file a part, the arms of the same items side by side.

A part that is larger than its provider takes is cut smaller: see ``cutting``.

Before anything is written, the scorer must recognise every refusal that the prompts mandate: an experiment whose
refusals would be counted as answers is stopped before it costs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import groupby
from typing import Any, Final

import msgspec

from promptrial.design import prompts
from promptrial.design.growth import cut_steps
from promptrial.design.trials import described_model, own_of, templates_of
from promptrial.design.waves import wave_settings
from promptrial.model import Item, Part, TaskTemplates, Trial
from promptrial.model.units import RUN
from promptrial.phases.base import Manifests, Phase, Produced
from promptrial.phases.cutting import Cutter, as_recorded, own_limits
from promptrial.phases.prepared import ItemKey, ItemReader, item_keys
from promptrial.phases.sample import added_items, cut_by, steps
from promptrial.phases.services import Services
from promptrial.phases.settings import scoring_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import part_row, parts_on_record
from promptrial.providers.request_rows import encode_request_row
from promptrial.store import jsonl
from promptrial.store.atomic import AtomicFile
from promptrial.store.manifests import load_manifest
from promptrial.store.part_records import FileRecord

__all__ = ["PHASE", "parts_written", "requests_per_item"]

_ROW_BYTES: Final = 250
"""What a request has besides its texts."""


def _settings(spec: RunSpec, _manifests: Manifests, _trial: Trial | None) -> object:
    config = spec.config
    return {
        "trials": [_describe(trial, templates_of(config.task_instructions)) for trial in spec.trials],
        "task_instructions": config.task_instructions.model_dump(mode="json"),
        "parts_per_dataset": config.parts_per_dataset,
        "lines_per_part": config.lines_per_part,
        "scoring": config.scoring.model_dump(mode="json"),
        **_earlier_steps(spec),
        **wave_settings(config.stopping),
        **own_limits(spec),
    }


def _earlier_steps(spec: RunSpec) -> dict[str, Any]:
    """Return what a receipt says about growth: nothing of a run that never grew."""
    *earlier, _ = steps(spec)
    return {"steps": [asdict(step) | {"sizes": list(step.sizes.items())} for step in earlier]} if earlier else {}


def _describe(trial: Trial, common: TaskTemplates) -> dict[str, Any]:
    """Return what a trial is, without the folder that its configuration happens to be in.

    Of an arm, only what is its own is there: ``common`` are the templates that the others share.
    """
    values = asdict(trial)
    del values["arms"], values["judges"]
    values |= {"model": described_model(trial.model), "prompts": {arm.name: asdict(arm.prompt) for arm in trial.arms}}
    own = {arm.name: each for arm in trial.arms if (each := own_of(arm, trial, common))}
    return {**values, "arms": own} if own else values


def _run(spec: RunSpec, services: Services) -> Produced:
    _check_refusals(spec)
    keys = list(item_keys(spec.run))
    rows: list[dict[str, Any]] = []
    artifacts = {}
    cutter = Cutter(spec, partial(_lengths, spec))
    total = len(keys) * sum(requests_per_item(trial) for trial in spec.trials)
    with services.progress.task("build", RUN, total) as task:
        for part, file in parts_written(spec, keys, ItemReader(spec.run).at, cutter, partial(_write, spec, services)):
            artifacts[spec.run.trial(part.trial_slug).requests(part.name)] = file
            rows.append(part_row(part))
            task.advance(part.rows)
    for limits, count in cutter.cut.items():
        services.events.say(f"{limits.provider} takes at most {limits} per job: {count} parts were split")
    if cutter.dearest is not None:
        raise cutter.dearest.refusal(spec.run.resume_command, cutter.most_usd)
    if cutter.cut_by_cost:
        most = spec.terms.caps.part_usd
        services.events.say(f"{cutter.cut_by_cost} parts were split: none may cost more than {most:.4g} USD, a "
                            "tenth of the cap")  # fmt: skip
    facts = {"parts": rows, "items": len(keys), "requests": total, **cutter.facts()}
    return Produced(artifacts, {**facts, **_drawn(spec), **_growth(spec)})


def parts_written(
    spec: RunSpec,
    keys: Sequence[ItemKey | Item],
    at: Callable[[Sequence[int]], Sequence[Item]],
    cutter: Cutter,
    write: Callable[[Trial, Part, Sequence[Item]], FileRecord],
) -> Iterator[tuple[Part, FileRecord]]:
    """Yield the parts of all trials in order, each with the record of its requests.

    Parameters
    ----------
    spec : RunSpec
    keys : sequence
        Of all prepared items, in their order.
    at : callable
        Returns the items at some positions.
    cutter : Cutter
    write : callable
        Writes the requests of a part that holds some items.
    """
    added = added_items(spec, keys)
    counts = [len(found) for found in added]
    for trial in spec.trials:
        for _, shard in groupby(_cut(spec, trial, counts), key=lambda each: _place(each[0])):
            arms, kept = zip(*shard, strict=True)
            members = list(at(added[arms[0].step][arms[0].start : arms[0].stop]))
            yield from cutter.written(trial, arms, members, partial(write, trial), frozen=all(kept))


def requests_per_item(trial: Trial) -> int:
    """Return how many requests a trial makes of each item."""
    return len(trial.conditions) * sum(trial.samples_per_item.values())


def _cut(spec: RunSpec, trial: Trial, counts: Sequence[int]) -> list[tuple[Part, bool]]:
    """Return the parts of a trial, each with whether it was one before the run grew."""
    whole = cut_by(spec, counts)
    recorded = parts_on_record(spec).get(trial.slug, []) if len(whole) > 1 else []
    return as_recorded(cut_steps(trial, whole, counts), recorded, len(whole))


def _place(part: Part) -> tuple[float, int, int, int]:
    return part.temp, part.step, part.start, part.stop


def _drawn(spec: RunSpec) -> dict[str, Any]:
    """Return as a fact from which questions the items were drawn, because *prepare* may lose its record of them."""
    prepared = load_manifest(spec.run.prepared / "manifest.json")
    if prepared is None:
        return {}
    drawn = {"plan": prepared.receipt.inputs.get("plan"), "sources": prepared.facts.get("sources", {})}
    return {"prepared_from": drawn}


def _growth(spec: RunSpec) -> dict[str, Any]:
    """Return the growth of the run as a fact, because it must be known even if every other record of it is lost."""
    return {"growth": msgspec.to_builtins(spec.growth)} if spec.growth else {}


def _space(spec: RunSpec, size_read: int) -> int:
    """Each trial repeats the items for every arm, temperature and replicate, with its prompts around them."""
    manifest = load_manifest(spec.run.prepared / "manifest.json")
    n_items = manifest.facts["items"] if manifest is not None else 0
    repeats = sum(len(trial.conditions) * sum(trial.samples_per_item.values()) for trial in spec.trials)
    longest = max(len(text.encode()) for text in prompts.texts_of(spec.trials))
    return repeats * (size_read + n_items * (_ROW_BYTES + 2 * longest))


def _write(spec: RunSpec, services: Services, trial: Trial, part: Part, members: Sequence[Item]) -> FileRecord:
    services.stop.check()
    rows = 0
    with AtomicFile(spec.run.trial(trial.slug).requests(part.name)) as file:
        for request in prompts.requests_of(part, members, trial):
            file.write(encode_request_row(request) + b"\n")
            rows += 1
    return FileRecord(file.sha256(), file.size, rows)


def _lengths(spec: RunSpec, trial: Trial, part: Part, _members: Sequence[Item]) -> Iterator[int]:
    return (len(line) + 1 for line in jsonl.lines(spec.run.trial(trial.slug).requests(part.name)))


def _check_refusals(spec: RunSpec) -> None:
    from promptrial.scoring import selftest

    texts = prompts.texts_of(spec.trials)
    refusals = list(dict.fromkeys(refusal for text in texts for refusal in selftest.mandated_refusals(text)))
    selftest.run(refusals, scoring_settings(spec.config))


PHASE = Phase(
    name="build",
    reads=("prepare",),
    settings=_settings,
    run_whole=_run,
    manifest="batch_inputs/manifest.json",
    space=_space,
)
