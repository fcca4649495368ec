"""What can be known to be wrong before a run begins: files, columns, prompts, models, scorers, prices.

Every problem is found at once, not the first alone. Nothing is sent or written, and no code of the user's runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from promptrial import registry
from promptrial.config.loading import KeyPath, LoadedConfig, load_config
from promptrial.costs.price_book import PriceBook
from promptrial.costs.price_words import price_lines, unpriced_words
from promptrial.datasets.base import reading_of
from promptrial.datasets.drawing import draw
from promptrial.design.context_lengths import long_requests
from promptrial.design.growth import last_step
from promptrial.design.prompts import messages_of
from promptrial.design.trials import models_asked, trials_of
from promptrial.engine.contexts import known_context
from promptrial.engine.kept_prices import list_book
from promptrial.engine.question_files import check_subgroup_columns, read_items, recognised_source
from promptrial.engine.resolving import Resolution, is_local, load_resolved
from promptrial.engine.serving import served, unsent, unservable
from promptrial.errors import ConfigProblemsError, DataError, PromptrialError
from promptrial.model import Item, Message, Trial
from promptrial.phases.question_checks import QuestionChecks
from promptrial.phases.score_bounds import bound_problems, known_scales
from promptrial.phases.sources import question_file
from promptrial.phases.subgroups import check_subgroups
from promptrial.scoring.normalize import rules_for

__all__ = ["Checked", "CheckedDataset", "check_file", "check_run", "paid_prices"]

_READ: Final = 1000
"""How many questions of each file are read."""


@dataclass(frozen=True, slots=True)
class CheckedDataset:
    """A data set whose first questions were read: the first of them as it is sent to an arm."""

    name: str
    questions: int
    is_all: bool
    arm: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    ``problems`` are what a run would be refused for, and ``notes`` what it would not; ``decided`` is what the
    configuration left open. ``served`` says where each model is that is not computed in this process, and ``prices``
    what those cost that have a price.
    """

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    datasets: tuple[CheckedDataset, ...] = ()
    served: tuple[str, ...] = ()
    prices: tuple[str, ...] = ()


def check_file(
    path: Path, env: Mapping[str, str], overrides: Mapping[KeyPath, object], at: str | None = None
) -> Checked:
    """Check a configuration file as far as can be done without a run.

    Parameters
    ----------
    path : Path
    env : mapping
        Where keys and ``${VAR}`` are looked up.
    overrides : mapping
        Key path -> value, from flags.
    at : str, optional
        The time in UTC for which prices are looked up; without it, only those of the configuration are known.
    """
    wrong: list[str] = []
    try:
        loaded = load_config(path, env, overrides, wrong_files=wrong)
    except ConfigProblemsError as error:
        return Checked(problems=error.problems)
    except PromptrialError as error:
        return Checked(problems=(str(error),))
    resolution: Resolution | None = None
    problems: list[str] = []
    trials: tuple[Trial, ...] = ()
    try:
        loaded, resolution = load_resolved(path, env, overrides, wrong_files=[])
    except PromptrialError as error:
        problems = list(_unrecognised(loaded)) or [str(error)]
        loaded = _without_open_sets(loaded)
    try:
        trials = trials_of(loaded.experiment, loaded.placeholders, str(loaded.folder))
    except PromptrialError as error:
        problems.append(str(error))
    config = loaded.experiment
    prices = list_book(config.providers, config.pricing, models_asked(trials), env, at) if at else None
    found = check_run(loaded, trials, env, resolution, prices, whole=not wrong)
    return replace(found, problems=(*wrong, *problems, *found.problems))


def check_run(
    loaded: LoadedConfig,
    trials: tuple[Trial, ...],
    env: Mapping[str, str],
    resolution: Resolution | None,
    prices: PriceBook | None = None,
    *,
    dry_run: bool = False,
    whole: bool = True,
) -> Checked:
    """Check a configuration that was read.

    Parameters
    ----------
    loaded : LoadedConfig
    trials : tuple of Trial
        Those of the configuration; none if they cannot be known.
    env : mapping
        Where keys are looked up.
    resolution : Resolution or None
        What the configuration left open; None if that could not be decided.
    prices : PriceBook, optional
        What models cost; by default what the configuration says.
    dry_run : bool
        Whether hosted providers are emulated, so that they need no key.
    whole : bool
        Whether the text of every prompt is known; otherwise nothing is shown or noted of what is sent.
    """
    problems: list[str] = []
    notes: list[str] = []
    read: dict[str, list[Item]] = {}
    datasets = list(_datasets(loaded, trials if whole else (), problems, notes, read))
    problems += map(str, bound_problems(loaded.experiment, known_scales(loaded.experiment)))
    problems += unservable(loaded.experiment, trials, env, dry_run=dry_run)
    notes += unsent(loaded.experiment, trials)
    prices = prices or PriceBook(loaded.experiment.pricing)
    notes += _unpriced(loaded, trials, prices, is_decided=resolution is not None)
    notes += _alike(trials) if whole else ()
    for long in long_requests(trials if whole else (), read, partial(known_context, loaded.experiment, env)):
        problems += [long.problem] if long.problem else []
        notes += [long.note] if long.note else []
    return Checked(
        problems=tuple(problems),
        notes=tuple(notes),
        decided=resolution.sentences if resolution else (),
        datasets=tuple(datasets),
        served=served(loaded, models_asked(trials), env, dry_run=dry_run),
        prices=paid_prices(prices, trials),
    )


def paid_prices(prices: PriceBook, trials: tuple[Trial, ...]) -> tuple[str, ...]:
    """Return what each model costs that is not computed in this process and has a price."""
    paid = [model for model in models_asked(trials) if not registry.load("provider", model.adapter).local]
    return tuple(price_lines(prices, [model for model in paid if prices.of(model) is not None]))


def _unrecognised(loaded: LoadedConfig) -> Iterator[str]:
    for name, dataset in loaded.experiment.datasets.items():
        if dataset.format is None:
            try:
                recognised_source(loaded, name, dataset)
            except PromptrialError as error:
                yield str(error)


def _without_open_sets(loaded: LoadedConfig) -> LoadedConfig:
    """Return a configuration with those data sets alone whose format is known."""
    known = {name: dataset for name, dataset in loaded.experiment.datasets.items() if dataset.format is not None}
    return replace(loaded, experiment=loaded.experiment.model_copy(update={"datasets": known}))


def _datasets(
    loaded: LoadedConfig,
    trials: tuple[Trial, ...],
    problems: list[str],
    notes: list[str],
    found: dict[str, list[Item]],
) -> Iterator[CheckedDataset]:
    """Yield each data set whose first questions can be read; say what is wrong with the others, and what is odd.

    The questions go into ``found``.
    """
    config = loaded.experiment
    readable = True
    whole = config.limit_items is None and all(dataset.size is None for dataset in config.datasets.values())
    for name, dataset in config.datasets.items():
        if dataset.path is None:
            readable = whole = False
            notes.append(f"datasets.{name}: on the hub, which a check does not ask; its questions are not checked")
            continue
        checks = QuestionChecks(config)
        try:
            rows = read_items(loaded, name, dataset, checks.notice, notes.append)
            items = list(islice(rows, _READ))
            is_all = next(rows, None) is None
            notes += checks.warnings(name, items, rules_for(dataset.known_format, dataset.rules, dataset.tokens))
            _refuse(loaded, name, checks, items)
            notes += _fewer_than_wanted(name, last_step(config).sizes[name], items if is_all else None)
        except PromptrialError as error:
            problems.append(str(error))
            readable = whole = False
        else:
            found[name], whole = items, whole and is_all
            if trials:
                arm = trials[0].arm(trials[0].conditions[0])
                yield CheckedDataset(name, len(items), is_all, arm.name, messages_of(items[0], arm))
    read = [item for items in found.values() for item in items]
    problems += _subgroup_problems(loaded, read if whole else None, readable=readable)


def _refuse(loaded: LoadedConfig, name: str, checks: QuestionChecks, items: Sequence[Item]) -> None:
    """Refuse the questions of a data set that a scorer could not score, if the sample of a run has them."""
    config = loaded.experiment
    dataset, size = config.datasets[name], last_step(config).sizes[name]
    try:
        checks.refuse(name, items)
    except DataError:
        if size is None:
            raise
        path = question_file(loaded.folder, name, dataset)
        reading = reading_of(dataset, config.subgroups)
        drawn = draw(registry.load("dataset format", dataset.known_format), [path], name, reading, size, config.seed)
        checks.refuse(name, [item for _, item in drawn])


def _fewer_than_wanted(name: str, size: int | None, items: Sequence[Item] | None) -> Iterator[str]:
    """Yield a note if a data set has fewer questions than are to be used; ``items`` are all of them, if known."""
    if size is not None and items is not None and len(items) < size:
        yield f"datasets.{name}: at most {size:,} questions are to be used, and it has {len(items):,}: all are used"


def _subgroup_problems(loaded: LoadedConfig, items: Sequence[Item] | None, *, readable: bool) -> Iterator[str]:
    """Yield what is wrong with ``subgroups``; of how many values a column has, the ``items`` of a whole run decide."""
    try:
        if items is not None:
            check_subgroups(loaded.experiment.subgroups, items)
        elif readable:
            check_subgroup_columns(loaded)
    except PromptrialError as error:
        yield str(error)


def _unpriced(loaded: LoadedConfig, trials: tuple[Trial, ...], prices: PriceBook, *, is_decided: bool) -> Iterator[str]:
    for model in models_asked(trials):
        if not is_decided and is_local(loaded.experiment, model.provider):
            continue  # it may get a price of 0
        if prices.of(model) is None:
            yield f"models.{model.alias}: {unpriced_words(prices, model)}"


def _alike(trials: tuple[Trial, ...]) -> Iterator[str]:
    for trial in trials:
        for one, other in trial.alike():
            yield f"{trial.slug}: the arms {one} and {other} send the same messages to the same model (an A/A trial)"
