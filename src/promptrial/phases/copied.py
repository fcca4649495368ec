"""Whether a run still has the name or the question of the sample that its configuration was copied from."""

from __future__ import annotations

from collections.abc import Iterator

from promptrial.config.sample import copied_words
from promptrial.phases.spec import RunSpec
from promptrial.store import jsonl
from promptrial.store.manifests import load_manifest

__all__ = ["copied"]


def copied(spec: RunSpec) -> str:
    """Return a warning for the plan, the run and its reports; empty if there is nothing to say.

    It goes by the question files that the run was prepared from; before that, by those that are there now.
    """
    prompts = {arm.prompt.sha256 for trial in spec.trials for arm in trial.arms}
    return copied_words(spec.config.name, spec.config.question, prompts, lambda: {*_question_files(spec)})


def _question_files(spec: RunSpec) -> Iterator[str]:
    prepared = load_manifest(spec.run.prepared / "manifest.json")
    if prepared is not None:
        yield from (str(source.get("sha256")) for source in prepared.facts.get("sources", {}).values())
        return
    for dataset in spec.config.datasets.values():
        path = None if dataset.path is None else spec.config_folder / dataset.path
        if path is None:
            yield "a data set on the hub"
        elif path.is_file():
            yield jsonl.digest(path).sha256
