"""``extract`` of a scorer: from one step or a list of them, as the configuration has it, to typed steps."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from promptrial import registry
from promptrial.config.libraries import missing_libraries
from promptrial.config.typed import SettingsError, typed

__all__ = ["extract_problem", "listed_steps", "typed_steps"]


def listed_steps(value: object) -> list[object]:
    """Return the steps of an ``extract``: a list as it is, and one step alone as a list of one."""
    return list(value) if isinstance(value, list | tuple) else [value]


def typed_steps(value: object) -> tuple[Any, ...]:
    """Return the steps of an ``extract``, each of the class that the registry has for it.

    Raises
    ------
    SettingsError
        If one is wrong; see ``extract_problem``.
    """
    return tuple(_typed_step(step) for step in listed_steps(value))


def extract_problem(value: object) -> tuple[tuple[str | int, ...], str] | None:
    """Return the key path below ``extract`` and what is wrong with it; None if nothing is."""
    if value == []:
        return (), "no step is given; omit `extract` to score whole answers"
    for index, step in enumerate(listed_steps(value)):
        try:
            _typed_step(step)
        except SettingsError as error:
            at: tuple[str | int, ...] = (index,) if isinstance(value, list) else ()
            return (*at, *filter(None, [error.key])), error.problem
    return None


def _typed_step(step: object) -> Any:  # noqa: ANN401 - one of the classes of the registry
    known = registry.EXTRACTS
    given = {step: None} if isinstance(step, str) else step
    if not isinstance(given, dict):
        raise SettingsError(f"a step is a name or a mapping with one; given: {step!r}; known: {', '.join(known)}")
    names = [key for key in given if key in known]
    if len(names) != 1:
        found = f"{', '.join(map(str, given)) or 'nothing'}"
        problem = "several steps in one mapping; write a list" if names else f"unknown step {found!r}"
        raise SettingsError(f"{problem}{registry.near_misses(found, known)}")
    kind = registry.load("extract step", names[0])
    missing = missing_libraries(kind.libraries)
    if missing is not None:
        raise SettingsError(missing)
    settings = {key: value for key, value in given.items() if value is not None}
    if names[0] not in settings and _is_needed(kind, names[0]):
        raise SettingsError(f"`{names[0]}` needs a value: {{{names[0]}: …}}")
    return typed(kind, settings)


def _is_needed(kind: type[Any], name: str) -> bool:
    return any(each.name == name and each.default is MISSING for each in fields(kind))
