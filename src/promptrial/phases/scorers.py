"""The scorers of a run: made for *score*, and known to every other phase by what *score* has recorded of them.

Only ``make_scorers`` runs code of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Final

import msgspec

from promptrial import registry
from promptrial.config.code import allowed_as, lies_in_a_run
from promptrial.config.extracts import listed_steps, typed_steps
from promptrial.config.libraries import versions_of
from promptrial.config.schema import ExperimentConfig
from promptrial.config.scorers import PYTHON, ScorerConfig
from promptrial.config.typed import SettingsError, typed
from promptrial.documents import scorers as documents
from promptrial.documents.files import read_bytes
from promptrial.documents.scorers import Declaration, ExtractCount, Need, RecordedScorer, ScorerRecord
from promptrial.errors import INTERRUPTS, ConfigError, CorruptRecordError, PromptrialError, ScoreError, in_one_sentence
from promptrial.phases.spec import RunSpec
from promptrial.scoring.contract import Scorer
from promptrial.scoring.types import FIRST
from promptrial.store.rundir import digest_of

if TYPE_CHECKING:
    from promptrial.scoring.extracts import Extract

__all__ = [
    "RECORD",
    "declared",
    "described_scorers",
    "judges_in",
    "known_declaration",
    "known_needs",
    "made_by",
    "make_extracts",
    "make_scorers",
    "package_scorer",
    "package_scorers",
    "record_of",
    "scorer_versions",
    "worst_columns",
]

RECORD = "scorers.json"
"""The file that says what the columns of ``per_item_scores`` mean; none where the default pack ran as it is."""


def make_scorers(spec: RunSpec, check_stop: Callable[[], None]) -> dict[str, Scorer]:
    """Return the configured scorers by name, in order; ``check_stop`` raises if a stop was asked for.

    Raises
    ------
    ConfigError
        If code of the configuration may not run here, or settings are wrong.
    ScoreError
        If the file of a scorer fails, or declares what no table or record can hold.

    Side effects: runs the files that the configuration names.
    """
    return {name: _made(spec, name, entry, check_stop) for name, entry in spec.config.scorers_in_use.items()}


def _made(spec: RunSpec, name: str, entry: ScorerConfig, check_stop: Callable[[], None]) -> Scorer:
    from promptrial.phases.programs import program_scorer
    from promptrial.scoring.types.command import Command

    try:
        scorer = _from_file(spec, name, entry) if entry.type == PYTHON else package_scorer(spec.config, entry)
        if isinstance(scorer, Command):
            _check_allowed(spec, name, entry)
            scorer = program_scorer(name, entry, scorer, spec.config_folder, check_stop)
        documents.checked(scorer.declared)
    except SettingsError as error:
        at = ".".join(filter(None, ["scorers", name, error.key]))
        raise ConfigError(f"{at}: {error.problem}", hint="correct it in the configuration") from None
    except (PromptrialError, *INTERRUPTS):
        raise
    except BaseException as error:  # the edge to code that may be the user's
        said = str(error) if isinstance(error, ValueError) else in_one_sentence(error)
        raise ScoreError(
            f"scorer {name}: {entry.path or entry.type} cannot be used: {said}",
            hint="correct the file, then resume the run",
        ) from error
    return scorer


def make_extracts(config: ExperimentConfig) -> dict[str, Extract]:
    """Return what of an answer each scorer is given, by name; scorers of whole answers are not among them."""
    steps = {name: entry.extract for name, entry in config.scorers_in_use.items() if entry.extract is not None}
    if not steps:
        return {}
    from promptrial.scoring.extracts import Extract

    return {name: Extract(typed_steps(of)) for name, of in steps.items()}


def known_needs(config: ExperimentConfig) -> dict[str, tuple[Need, ...]]:
    """Return what each scorer needs; of a class in a file it is not known before its code runs."""
    entries = config.scorers_in_use.items()
    return {name: _known_needs(config, entry) for name, entry in entries if entry.type != PYTHON or entry.function}


def _known_needs(config: ExperimentConfig, entry: ScorerConfig) -> tuple[Need, ...]:
    from promptrial.config.functions import text_needs

    if entry.function:
        return (*text_needs(entry.text, entry.function), *entry.settings.get("needs", ()))
    return package_scorer(config, entry).declared.needs


def known_declaration(config: ExperimentConfig, name: str) -> Declaration | None:
    """Return what a scorer says about its scores; None of a class in a file, whose code would have to run."""
    from promptrial.config.functions import text_scale
    from promptrial.config.stated import STATED, Stated

    entry = config.scorers_in_use[name]
    if entry.type != PYTHON:
        return package_scorer(config, entry).declared
    if not entry.function:
        return None
    stated = typed(Stated, {key: value for key, value in entry.settings.items() if key in STATED})
    return stated.declaration(name, name, text_scale(entry.text, entry.function))


def package_scorer(config: ExperimentConfig, entry: ScorerConfig) -> Scorer:
    """Return a scorer of a type of the package; nothing of the user's runs."""
    kind: type[Scorer] = registry.load("scorer", entry.kind)
    return typed(kind, _settings(config, kind, entry))


def package_scorers(config: ExperimentConfig) -> dict[str, Scorer]:
    """Return the configured scorers of types of the package, by name; nothing of the user's runs."""
    entries = config.scorers_in_use.items()
    return {name: package_scorer(config, entry) for name, entry in entries if entry.type != PYTHON}


def _settings(config: ExperimentConfig, kind: type[Scorer], entry: ScorerConfig) -> dict[str, Any]:
    """Return the settings of an entry; what it does not give comes from the section of ``scoring``, if there is one."""
    section: dict[str, Any] = getattr(config.scoring, kind.section).model_dump() if kind.section else {}
    return section | entry.with_text


def _from_file(spec: RunSpec, name: str, entry: ScorerConfig) -> Scorer:
    from promptrial.scoring.python_file import load_module, scorer_class
    from promptrial.scoring.python_function import function_scorer

    _check_allowed(spec, name, entry)
    if entry.function:
        module = load_module(name, entry.path, entry.text)
        return function_scorer(name, entry.path, entry.function, module, entry.settings)
    kind = scorer_class(name, entry.path, entry.text)
    return typed(kind, _settings(spec.config, kind, entry))


def _check_allowed(spec: RunSpec, name: str, entry: ScorerConfig) -> None:
    if allowed_as(entry, spec.config_folder) not in spec.code.digests:
        code = entry.path or f"the command {entry.settings['command'][0]}"
        raise ConfigError(
            f"scorer {name}: the code of {code} (SHA-256 {entry.sha256}) may not run yet: it was not allowed on this "
            "machine, and its configuration was not given",
            hint=f"if the configuration is yours, give it: {_named(spec)}; "
            f"otherwise read the code, then allow it once: {spec.run.resume_command} --allow_code",
        )


def _named(spec: RunSpec) -> str:
    """Return the command that resumes a run by a configuration that the user names; FILE if none is known."""
    known = spec.code.config_file is not None and not lies_in_a_run(spec.code.config_file)
    return f"{spec.run.command('run')} --config {quote(str(spec.code.config_file)) if known else 'FILE'} --resume"


def scorer_versions(config: ExperimentConfig) -> dict[str, str]:
    """Return what a receipt says about scorers: nothing where the default pack runs as it was in its first version.

    Otherwise the list, and of each scorer that is not such one of the pack a digest of its type, its settings and its
    version; one in a file has the digest of the file for a version.
    """
    entries = config.scorers_in_use
    known = {name: _version(config, entry) for name, entry in entries.items()}
    made = {name: _made_with(config, entry) for name, entry in entries.items()}
    own = {
        f"scorer {name}": digest_of(
            {"type": entry.type, "settings": entry.settings, "version": known[name]} | made[name]
        )
        for name, entry in entries.items()
        if entry.model_dump() != {"type": name} or known[name] != 1 or made[name]
    }
    return own if tuple(entries) == FIRST else {"scorers": ", ".join(entries), **own}


def described_scorers(config: ExperimentConfig) -> dict[str, dict[str, Any]]:
    """Return what decides about the scores, by column in order, before anything is scored: no code of the user's runs.

    A scorer in a file has the SHA-256 of the file for a version.
    """
    return {
        name: {
            "type": entry.type,
            "settings": entry.settings,
            "version": _version(config, entry),
            **_made_with(config, entry),
        }
        for name, entry in config.scorers_in_use.items()
    }


def _version(config: ExperimentConfig, entry: ScorerConfig) -> str | int:
    return entry.sha256 if entry.type == PYTHON else package_scorer(config, entry).declared.version


def _made_with(config: ExperimentConfig, entry: ScorerConfig) -> dict[str, Any]:
    """Return what scores depend on besides type, settings and version: function, file, libraries, a judge's model."""
    found = {
        "function": entry.function,
        "sha256": entry.sha256 if entry.type != PYTHON else "",
        "libraries": _libraries(entry),
        "extract": None if entry.extract is None else listed_steps(entry.extract),
        "judge": _judge_model(config, entry),
    }
    return {name: value for name, value in found.items() if value}


def _judge_model(config: ExperimentConfig, entry: ScorerConfig) -> str | None:
    """Return a digest of the model that judges, as it is asked; None of a scorer that is not a judge."""
    if entry.kind not in registry.JUDGES:
        return None
    model = config.models[str(entry.settings["model"])]
    return digest_of([model.id, model.provider or config.provider, model.path, model.options.given()])


def _libraries(entry: ScorerConfig) -> dict[str, str]:
    """Return the versions of the libraries that compute the scores."""
    kinds = [] if entry.type == PYTHON else [registry.load("scorer", entry.kind)]
    steps = () if entry.extract is None else typed_steps(entry.extract)
    return {name: version for kind in (*kinds, *steps) for name, version in versions_of(kind.libraries).items()}


def worst_columns(config: ExperimentConfig) -> list[str]:
    """Return the scorers whose worst score by item is a column of the score table, as it is in no other place."""
    return [name for name in config.scorers_in_use if name not in registry.DEFAULT_PACK]


def record_of(
    config: ExperimentConfig, scorers: Mapping[str, Scorer], counts: Mapping[str, dict[str, ExtractCount]]
) -> ScorerRecord:
    """Return what *score* records of its scorers, as it is read back.

    ``counts`` are by scorer and arm how often there was something to extract.
    """
    return documents.decode(documents.encode(_record(config, scorers, counts)))


def _record(
    config: ExperimentConfig, scorers: Mapping[str, Scorer], counts: Mapping[str, dict[str, ExtractCount]]
) -> ScorerRecord:

    extracts = make_extracts(config)
    return ScorerRecord(
        scorers=tuple(
            RecordedScorer(
                name=name,
                type=entry.type,
                settings=entry.settings,
                declared=_declared(scorers[name], extracts.get(name)),
                sha256=entry.sha256 or None,
                function=entry.function or msgspec.UNSET,
                libraries=_libraries(entry) or msgspec.UNSET,
                extract=msgspec.UNSET if entry.extract is None else listed_steps(entry.extract),
                extracted=counts.get(name, msgspec.UNSET),
            )
            for name, entry in config.scorers_in_use.items()
        )
    )


def _declared(scorer: Scorer, extract: Extract | None) -> Declaration:
    if extract is None:
        return scorer.declared
    meaning = f"{scorer.declared.meaning} Asked of {extract}."
    return msgspec.structs.replace(scorer.declared, meaning=meaning)


def declared(results: Path) -> dict[str, Declaration]:
    """Return what the scorers of a scored trial say about themselves, by column, in order.

    Raises
    ------
    CorruptRecordError
        If the record is damaged.
    """
    from promptrial.scoring.base import load_scorers

    record = _recorded(results / RECORD)
    if record is None:
        return {name: scorer.declared for name, scorer in load_scorers().items() if name in FIRST}
    return {each.name: documents.as_found(each) for each in record.scorers}


def judges_in(results: Path) -> tuple[str, ...]:
    """Return the columns of a scored trial whose scores a model gave that was asked as a judge, in order."""
    return tuple(
        name for name, each in made_by(results).items() if registry.scorer_type(each["type"]) in registry.JUDGES
    )


_IF_ANY: Final = ("function", "libraries", "extract")
"""What a record of a scorer has only where there is one."""


def made_by(results: Path) -> dict[str, dict[str, Any]]:
    """Return what decides about the scores of a scored trial, by column: type, settings, version.

    A scorer in a file has the SHA-256 of the file for a version. Where the file is kept makes no difference.

    Raises
    ------
    CorruptRecordError
        If the record is damaged.
    """
    record = _recorded(results / RECORD)
    if record is None:
        return {name: {"type": name, "settings": {}, "version": 1} for name in FIRST}
    return {
        each.name: {
            "type": each.type,
            "settings": each.settings,
            **({"version": each.declared.version} if each.type != PYTHON else {}),
            **({} if each.sha256 is None else {"sha256": each.sha256}),
            **{key: value for key in _IF_ANY if (value := getattr(each, key)) is not msgspec.UNSET},
        }
        for each in record.scorers
    }


def _recorded(path: Path) -> ScorerRecord | None:
    if not path.exists():
        return None
    try:
        return documents.decode(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise CorruptRecordError(
            f"{path}: cannot be read: {error}", hint="resume the run: score is repeated then"
        ) from error
