"""What a configuration leaves open and the questions decide: formats, columns, scorers, and what follows from them.

The one place where this is decided: after the file is read, and before the digest is computed. What was decided is
in the run's own copy of the configuration and, with its reason, in the state. A resume takes it from there, so that a
question file that was changed or removed cannot change what was decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, UnsetType

from promptrial import registry
from promptrial.config.datasets import ColumnsConfig, DatasetConfig
from promptrial.config.effective import effective
from promptrial.config.instances import instance_of
from promptrial.config.loading import LoadedConfig, load_config
from promptrial.config.schema import ExperimentConfig
from promptrial.config.scorers import PRIMARY
from promptrial.config.tree import KeyPath
from promptrial.design.defaults import Default, gives, local_prices, scoring_defaults, stop_sequences
from promptrial.engine.growing import recorded_tree
from promptrial.engine.origin import holds_answers
from promptrial.engine.question_files import Source, is_there, read_items, recognised_source, recorded_source
from promptrial.model import Item
from promptrial.store.records import Origin
from promptrial.store.rundir import RunDir

if TYPE_CHECKING:
    from promptrial.design.fitting import Fitted

__all__ = ["Recorded", "Resolution", "is_local", "load_resolved", "recorded_of"]

_SURVEYED: Final = 1000
"""How many questions of each file decide on scorers: the first ones, so that a large file costs little."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a run has on record.

    Attributes
    ----------
    tree : mapping
        Its own copy of the configuration; empty if that is lost.
    reasons : mapping
        Keys that were decided for it, joined by ``/`` -> why.
    holds : bool
        Whether nothing is decided again, which is so once its questions are drawn. Before that, question files that
        exist are read again, because they may have been corrected.
    """

    tree: Mapping[str, Any]
    reasons: Mapping[str, str]
    holds: bool


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was decided.

    Attributes
    ----------
    values : mapping
        Key path -> value, for keys that the configuration does not give.
    reasons : mapping
        Keys joined by ``/`` -> why, for people: those of ``values``, and those on record that have the same value now.
    sentences : tuple of str
        What people should know of it.
    scorers : tuple of str
        Types of scorers that the formats ask for, besides those that fit the questions.
    is_on_record : bool
        Whether each data set that states no format is the one on record.
    """

    values: Mapping[KeyPath, object] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    scorers: tuple[str, ...] = ()
    is_on_record: bool = True

    def with_more(self, found: Iterable[Default], sentences: Iterable[str] = ()) -> Resolution:
        """Return what was decided with more of it."""
        added = list(found)
        return replace(
            self,
            values={**self.values, **{each.at: each.value for each in added}},
            reasons={**self.reasons, **{_joined(each.at): each.why for each in added}},
            sentences=(*self.sentences, *sentences),
        )


def recorded_of(run: RunDir, origin: Origin | None, *, reads_questions: bool = True) -> Recorded | None:
    """Return what a run has on record; None for a new one. Nothing is decided again if no question may be read."""
    tree = recorded_tree(run, origin)
    if tree is None and origin is None:
        return None
    decided = UNSET if origin is None else origin.decided
    drawn = any((folder / "manifest.json").exists() for folder in (run.prepared, run.batch_inputs))
    return Recorded(
        tree or {},
        {} if isinstance(decided, UnsetType) else decided,
        holds=drawn or holds_answers(run) or not reads_questions,
    )


def load_resolved(
    path: Path,
    env: Mapping[str, str],
    overrides: Mapping[KeyPath, object] | None = None,
    *,
    recorded: Recorded | None = None,
    folder: Path | None = None,
    unused_may_lack: bool = False,
    wrong_files: list[str] | None = None,
) -> tuple[LoadedConfig, Resolution]:
    """Read a configuration and decide what it leaves open.

    Parameters
    ----------
    path, env, overrides, unused_may_lack, wrong_files
        As for ``load_config``.
    recorded : Recorded, optional
        What the run has on record.
    folder : Path, optional
        Where the paths of question files start from; the folder of the file if not given.

    Raises
    ------
    ConfigError
        For a wrong configuration, and for a question file that is needed and missing.
    DataError
        For a question file that cannot be recognised, or is wrong.
    """

    def load(values: Mapping[KeyPath, object]) -> LoadedConfig:
        read = load_config(
            path, env, {**(overrides or {}), **values}, unused_may_lack=unused_may_lack, wrong_files=wrong_files
        )
        return replace(read, folder=folder or read.folder)

    given = load({})
    known = recorded if recorded is not None and (recorded.holds or not _all_there(given)) else None
    resolution = _sources(given, known)
    if not resolution.is_on_record:
        known = None
    resolution = _on_record(given, resolution, known)
    if all(dataset.format is None for dataset in given.experiment.datasets.values()):
        resolution = _from_questions(_with_sources(given, resolution), resolution, known)
    return load(resolution.values) if resolution.values else given, resolution


def is_local(config: ExperimentConfig, provider: str) -> bool:
    """Tell whether the answers of a provider are computed in this process."""
    return bool(registry.load("provider", instance_of(config.providers, provider).adapter).local)


def _joined(at: KeyPath) -> str:
    return "/".join(str(key) for key in at)


def _all_there(loaded: LoadedConfig) -> bool:
    return all(is_there(loaded, dataset) for dataset in loaded.experiment.datasets.values() if dataset.format is None)


def _sources(loaded: LoadedConfig, known: Recorded | None) -> Resolution:
    """Decide format and columns of each data set that states no format."""
    found = Resolution()
    for name, dataset in loaded.experiment.datasets.items():
        if dataset.format is None:
            source: Source | None = None
            if known is not None:
                source = recorded_source(loaded, name, known.tree, known.reasons)
            is_on_record = source is not None and found.is_on_record
            source = source or recognised_source(loaded, name, dataset)
            found = found.with_more(source.defaults, source.sentences)
            found = replace(found, scorers=(*found.scorers, *source.scorers), is_on_record=is_on_record)
    return found


def _on_record(loaded: LoadedConfig, found: Resolution, known: Recorded | None) -> Resolution:
    """Take what was decided before, where the configuration says nothing of it now."""
    if known is None:
        return found
    tree = effective(loaded, set(loaded.experiment.models), set(loaded.experiment.prompt_sets))
    same: dict[str, str] = {}
    for joined, why in known.reasons.items():
        at = tuple(joined.split("/"))
        before, now = _value(known.tree, at), _value(tree, at)
        if before is None or joined in found.reasons:
            continue
        if now == before:
            same[joined] = why
        elif not gives(loaded.experiment, at) and _may_stand(loaded, at, before):
            found = found.with_more([Default(at, before, why)])
    return replace(found, reasons={**same, **found.reasons})


def _may_stand(loaded: LoadedConfig, at: KeyPath, value: Any) -> bool:  # noqa: ANN401 - a plain value
    """Tell whether a value on record goes with what the configuration gives: scorers that it names have to run."""
    scorers = loaded.experiment.scorers
    return at != PRIMARY or scorers is None or set(value) <= scorers.keys()


def _value(tree: Any, at: KeyPath) -> Any:  # noqa: ANN401 - a tree of plain values
    for key in at:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _with_sources(loaded: LoadedConfig, found: Resolution) -> LoadedConfig:
    """Return a configuration whose question files can be read: with the formats and columns that were decided."""
    datasets: dict[str, DatasetConfig] = {}
    for name, dataset in loaded.experiment.datasets.items():
        columns: dict[str, object] = {} if dataset.columns is None else dict(dataset.columns.given)
        columns |= {str(at[3]): value for at, value in found.values.items() if at[:3] == ("datasets", name, "columns")}
        decided = {"format": found.values["datasets", name, "format"], "columns": ColumnsConfig.model_validate(columns)}
        datasets[name] = dataset.model_copy(update=decided)
    return replace(loaded, experiment=loaded.experiment.model_copy(update={"datasets": datasets}))


def _from_questions(loaded: LoadedConfig, found: Resolution, known: Recorded | None) -> Resolution:
    """Decide what fits the questions of a configuration that states no format at all.

    Of a run that follows its record only scorers are fitted, if those that it had were given and are so no more; the
    rules of its data sets stay.
    """
    config = loaded.experiment
    anew = known is None or not known.tree
    is_open = config.scorers is None and ("scorers",) not in found.values
    if is_open and (known is None or anew or known.tree.get("scorers")):
        fit = _fitted(loaded, found.scorers)
        if fit is not None:
            fitting = (each for each in scoring_defaults(config, fit) if anew or each.at[0] != "datasets")
            found = found.with_more(fitting, _sentences(loaded, fit))
    if anew:
        local = partial(is_local, config)
        found = found.with_more([*stop_sequences(config, local), *local_prices(config, local)])
    return found


def _fitted(loaded: LoadedConfig, first: Sequence[str]) -> Fitted | None:
    """Return what fits the first questions of each file; None where a data set is on the hub, and has its own pack."""
    from promptrial.design.fitting import fitted, survey

    datasets = loaded.experiment.datasets
    if any(dataset.path is None for dataset in datasets.values()):
        return None
    return fitted(survey(_first_items(loaded)), first)


def _first_items(loaded: LoadedConfig) -> Iterator[Item]:
    for name, dataset in loaded.experiment.datasets.items():
        yield from islice(read_items(loaded, name, dataset), _SURVEYED)


def _sentences(loaded: LoadedConfig, fit: Fitted) -> Iterator[str]:
    yield from (f"scorers: {sentence}" for sentence in fit.sentences)
    if not gives(loaded.experiment, PRIMARY):
        yield f"primary endpoint: {fit.primary}"
