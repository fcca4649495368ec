"""Which scorers run: the entries of ``scorers``, and the names that other keys may call them by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_serializer, model_validator

from promptrial import registry
from promptrial.config.commands import COMMAND
from promptrial.config.libraries import missing_libraries
from promptrial.config.stated import STATED, Stated
from promptrial.config.typed import SettingsError, typed
from promptrial.documents.scorers import checked

__all__ = [
    "PRIMARY",
    "PYTHON",
    "ScorerConfig",
    "column_of",
    "documented",
    "name_problem",
    "named_types",
    "settings_problems",
]

PRIMARY: Final = ("stats", "primary")
"""The key that names the endpoints that decide."""
PYTHON: Final = "python"
"""The type of a scorer that is in a file of the user's."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FUNCTION: Final = re.compile(r"(.+\.py):([^\W\d]\w*)", re.DOTALL)
"""A file of Python and the name of a function in it."""
_TAKEN: Final = frozenset(
    {"item_key", "dataset", "cluster", "type", "condition", "temp", "n_samples", "coverage", "selective_accuracy"}
)
"""Columns of the score table that are no scorer's, and measures that are made from scores."""
_ENDINGS: Final = ("_std", "_worst")
"""What the further columns of a scorer end in."""
_OTHER_PAGE: Final = frozenset(
    {"abstention", "false_answer", "unsupported", "regex", "json_schema", "fuzzy", "rouge_l", "bleu", "length"}
)
"""Types that docs/scorers_other.md explains; docs/scorers_right.md has the others."""
_EXPLAINED: Final = {
    PYTHON: "own_scorers.md#a-function-of-your-own",
    COMMAND: "own_scorers.md#a-program-of-your-own",
    "judge": "judges.md#one-answer-at-a-time",
    "pairwise_judge": "judges.md#two-answers-side-by-side",
}
"""Types that have pages of their own."""


class ScorerConfig(BaseModel):
    """A scorer under its name (the key in ``scorers``). All other keys are settings of its type."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, JsonValue]

    type: str = Field("", description="a type of scorer, or `python`; the name itself if not given")
    file: str = Field(
        "",
        description="`python`: a file below the folder of this configuration file; its `SCORER` is the scorer, or with "
        "`FILE.py:NAME` its function of this name. `json_schema`: the file of the schema",
    )
    sha256: str = Field("", description="the digest of the file; set by the run")
    text: str = Field("", description="the text of the file; set by the run")

    extract: JsonValue = Field(
        None, description="which part of an answer is scored: a step, or a list of steps; the whole answer if null"
    )

    @property
    def kind(self) -> str:
        """The type by the name that the registry has for it; `type` is as it was written, and so recorded."""
        return registry.scorer_type(self.type)

    @property
    def settings(self) -> dict[str, Any]:
        """What the entry says besides the keys that every entry may have."""
        return dict(self.model_extra or {})

    @property
    def is_code(self) -> bool:
        """Whether it is code of the user's, which runs only where that is allowed."""
        return self.type == PYTHON or self.kind == COMMAND

    @property
    def file_setting(self) -> str:
        """The setting of its type that the text of ``file`` is; empty if there is none."""
        return _file_setting(self.kind) if self.kind in registry.SCORERS else ""

    @property
    def with_text(self) -> dict[str, Any]:
        """The settings of a type of the package, with the text of its file among them."""
        return self.settings | ({self.file_setting: self.text} if self.file_setting and self.text else {})

    @property
    def path(self) -> str:
        """The file without the name of a function in it."""
        match = _FUNCTION.fullmatch(self.file)
        return match[1] if match else self.file

    @property
    def function(self) -> str:
        """The name of the function in the file that scores; empty where its ``SCORER`` does."""
        match = _FUNCTION.fullmatch(self.file)
        return match[2] if match else ""

    @model_validator(mode="after")
    def _file_of_its_type(self) -> Self:
        if self.type == PYTHON and not self.file:
            raise ValueError("`type: python` needs `file`")
        if self.type != PYTHON and (self.file or self.text) and not self.file_setting:
            raise ValueError(f"`file` and `text` are for {', '.join(_with_files())}")
        if self.kind in registry.JUDGES and not (self.file or str(self.settings.get("rubric") or "").strip()):
            raise ValueError("a judge needs a rubric: write it into a file and name it with `file`, or give `rubric`")
        if self.file_setting in self.settings and (self.file or self.text):
            raise ValueError(f"give only one of `file` and `{self.file_setting}`")
        return self

    @model_serializer(mode="plain")
    def _recorded(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("type", "file", "sha256", "text", "extract")}
        return {name: value for name, value in own.items() if value} | self.settings


def _file_setting(kind: str) -> str:
    found: str = registry.load("scorer", kind).file_setting
    return found


def _with_files() -> list[str]:
    """Return the types that a file can belong to, as messages name them."""
    return [f"`type: {kind}`" for kind in (PYTHON, *registry.SCORERS) if kind == PYTHON or _file_setting(kind)]


def named_types(value: object) -> object:
    """Return the entries of ``scorers`` with the type of each: its own name where it gives none."""
    if not isinstance(value, dict):
        return value
    return {name: _with_type(name, {} if entry is None else entry) for name, entry in value.items()}


def _with_type(name: object, entry: object) -> object:
    """Return an entry with its type, which for a column of the default pack is its own name, however it is written."""
    if not isinstance(entry, dict) or not (name in registry.SCORERS or name in registry.DEFAULT_PACK):
        return entry
    given = entry.get("type", name)
    return {**entry, "type": name if registry.DEFAULT_PACK.get(str(name)) == given else given}


def name_problem(name: str, entry: ScorerConfig) -> str | None:
    """Return what is wrong with the name or the type of a scorer; None if nothing is."""
    if not _NAME.fullmatch(name):
        return f"scorer {name!r}: a lower-case letter, then at most 31 of lower-case letters, digits, _"
    if name in _TAKEN or name.endswith(_ENDINGS):
        return f"{name!r} is the name of another column; choose another name"
    return _type_problem(name, entry)


def _type_problem(name: str, entry: ScorerConfig) -> str | None:
    names = [*registry.SCORERS, *registry.DEFAULT_PACK]
    if not entry.type:
        return f"unknown scorer {name!r}{registry.near_misses(name, names)}; other names need a `type`"
    if entry.type != PYTHON and entry.kind not in registry.SCORERS:
        return f"unknown scorer type {entry.type!r}{registry.near_misses(entry.type, [*names, PYTHON])}"
    means = registry.scorer_type(name)
    is_own = entry.type == PYTHON and means not in registry.DEFAULT_PACK.values()
    if means in registry.SCORERS and means != entry.kind and not is_own:
        return f"{name!r} is the name of the type {means!r}; choose another name, or omit `type`"
    return None


def settings_problems(entries: Mapping[str, ScorerConfig]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield key path below ``scorers`` and problem for each entry that is wrong.

    The settings of a class in a file cannot be checked without running the file, which only *score* does. Those of a
    function that say what its scores mean can be.
    """
    from promptrial.config.extracts import extract_problem

    for name, entry in entries.items():
        problem = name_problem(name, entry)
        if problem is not None:
            yield (name,), f"{problem} (docs/scorers.md#all-types)"
        else:
            try:
                _check_settings(name, entry)
            except SettingsError as error:
                yield (name, *filter(None, [error.key])), f"{error.problem} ({documented(entry.kind)})"
            found = None if entry.extract is None else extract_problem(entry.extract)
            if found is not None:
                yield (name, "extract", *found[0]), f"{found[1]} (docs/scorers.md#extract)"


def documented(kind: str) -> str:
    """Return where the settings of a type of scorer are explained."""
    page = "scorers_other" if kind in _OTHER_PAGE else "scorers_right"
    return f"docs/{_EXPLAINED.get(kind, f'{page}.md#{kind}')}"


def _check_settings(name: str, entry: ScorerConfig) -> None:
    """Check settings as far as no code of the user's has to run for it; see ``config.code`` for its text."""
    if entry.function:
        stated = typed(Stated, {key: value for key, value in entry.settings.items() if key in STATED})
        try:
            checked(stated.declaration(name, "-"))
        except ValueError as error:
            raise SettingsError(str(error)) from error
    elif entry.type != PYTHON:
        kind = registry.load("scorer", entry.kind)
        missing = missing_libraries(kind.libraries)
        if missing is not None:
            raise SettingsError(missing)
        typed(kind, entry.with_text)


def column_of(name: str, types: Mapping[str, str]) -> str:
    """Return the column of the scorer that a name stands for: its own name, or the type that it alone has.

    Parameters
    ----------
    name : str
        As a key of `stats` or `costs`, or a gate, has it.
    types : mapping
        Column -> type, of the scorers that run.

    Raises
    ------
    SettingsError
        If no scorer has that name or type, or several have the type; lists them.

    Examples
    --------
    >>> column_of("em", {"strict": "exact_match", "f1": "f1"}), column_of("token_f1", {"strict": "em", "f1": "f1"})
    ('strict', 'f1')
    """
    if name in types:
        return name
    wanted = registry.scorer_type(name)
    found = [column for column, kind in types.items() if registry.scorer_type(kind) == wanted]
    if len(found) > 1:
        raise SettingsError(f"several scorers are of the type {name!r}; name one of them: {', '.join(found)}")
    if not found:
        raise SettingsError(f"unknown scorer {name!r}{registry.near_misses(name, types)}")
    return found[0]
