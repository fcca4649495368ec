"""Functions that score an answer: which parameters they may have, and what the text of one says. Nothing is run.

A parameter gets its value by its name. One without a default is what the function cannot do without.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from promptrial.config.stated import STATED
from promptrial.config.typed import SettingsError
from promptrial.documents.scorers import Need, Scale
from promptrial.registry import near_misses

__all__ = [
    "APPLIES",
    "OF_AN_ANSWER",
    "OF_AN_ITEM",
    "Parameters",
    "check_text",
    "function_settings",
    "needs_of",
    "parameter_problem",
    "text_needs",
    "text_scale",
]

OF_AN_ITEM: Final = ("item", "question", "golds", "context", "choices")
"""What a function may ask for that looks at the item alone."""
OF_AN_ANSWER: Final = ("answer", "response", *OF_AN_ITEM)
"""What a function that scores may ask for."""
NEEDS: Final[Mapping[str, Need]] = {
    "golds": "gold",
    "context": "passage",
    "choices": "choices",
    "response": "response",
}
"""What a function needs that has such a parameter without a default; of the response, with one too."""
APPLIES: Final = "applies"
"""The setting that names a second function of the file: whether the scorer applies to an item."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a function: those without a default, those with one, and whether it takes any other name.

    ``nameless`` are those that can be given by their position alone.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    any_other: bool = False
    nameless: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.required + self.optional


def function_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are arguments of the function: all but those that say what its scores mean."""
    return {name: value for name, value in settings.items() if name not in STATED | {APPLIES}}


def parameter_problem(
    parameters: Parameters, given: Mapping[str, Any], known: tuple[str, ...]
) -> tuple[str, str] | None:
    """Return key and sentence of the first thing that keeps a function from being called; None if nothing does.

    Parameters
    ----------
    parameters : Parameters
    given : mapping
        The settings that are to be its arguments.
    known : tuple of str
        The names that get a value of the item and its answer.
    """
    for name in parameters.nameless:
        return "", f"the parameter {name!r} cannot be given by name: remove the `/`"
    for name in given:
        if name in known:
            return name, f"{name} comes from the item and its answer; give the setting another name"
        if name not in parameters.names and not parameters.any_other:
            own = [each for each in parameters.names if each not in known]
            settable = near_misses(name, own) if own else "; it has none"
            return name, f"the function has no parameter of this name{settable}"
    for name in parameters.required:
        if name not in known and name not in given:
            return "", (
                f"the parameter {name!r} has no value: it is not a setting in the configuration, nor one of "
                f"{', '.join(known)}; set it there, or give it a default"
            )
    return None


def needs_of(parameters: Parameters) -> tuple[Need, ...]:
    """Return what a function needs, by its parameters."""
    names = [name for name in parameters.names if name in parameters.required or name == "response"]
    return tuple(NEEDS[name] for name in names if name in NEEDS)


def text_needs(text: str, function: str) -> tuple[Need, ...]:
    """Return what a function needs, as far as the text of its file tells; nothing is run."""
    node = _definition(text, function)
    return () if node is None else needs_of(_parameters(node.args))


def text_scale(text: str, function: str) -> Scale:
    """Return the scale of what a function returns, as far as the text of its file tells; nothing is run.

    Examples
    --------
    >>> text_scale("def short(answer) -> bool: ...", "short"), text_scale("def share(answer): ...", "share")
    ('binary', 'continuous')
    """
    node = _definition(text, function)
    returns = None if node is None or node.returns is None else ast.unparse(node.returns).strip("'\"")
    return "binary" if returns == "bool" else "continuous"


def _definition(text: str, function: str) -> ast.FunctionDef | None:
    """Return the last definition of a function at the top of a text; None if there is none, or the text is no code."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == function]
    return found[-1] if found else None


def check_text(text: str, function: str, settings: Mapping[str, Any]) -> None:
    """Check that a text of Python has the function and can call it with the settings, as far as its text tells.

    Raises
    ------
    SettingsError
        Naming the setting and, where it helps, the line of the text.
    """
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise SettingsError(f"it is not valid Python: line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SettingsError(f"it is not valid Python: {error}") from None
    _check_function(body, function, "", function_settings(settings), OF_AN_ANSWER)
    if APPLIES in settings:
        _check_function(body, settings[APPLIES], APPLIES, {}, OF_AN_ITEM)


def _check_function(
    body: list[ast.stmt], function: object, key: str, given: Mapping[str, Any], known: tuple[str, ...]
) -> None:
    defined = {node.name: node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    node = defined.get(function) if isinstance(function, str) else None
    if node is None:
        if isinstance(function, str) and function in _other_names(body):
            return  # made in another way than by `def`: only running the file tells its parameters
        raise SettingsError(f"it has no function {function!r}{near_misses(str(function), defined)}", key)
    if isinstance(node, ast.AsyncFunctionDef):
        raise SettingsError(f"line {node.lineno}: {function} is an async function; a scorer is a plain one", key)
    problem = parameter_problem(_parameters(node.args), given, known)
    if problem is not None:
        raise SettingsError(f"line {node.lineno}: {function}: {problem[1]}", problem[0] or key)


def _parameters(args: ast.arguments) -> Parameters:
    plain = [arg.arg for arg in args.args]
    first_default = max(0, len(plain) - len(args.defaults))
    keyword = [(arg.arg, default is not None) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    return Parameters(
        (*plain[:first_default], *(name for name, has in keyword if not has)),
        (*plain[first_default:], *(name for name, has in keyword if has)),
        args.kwarg is not None,
        tuple(arg.arg for arg in args.posonlyargs),
    )


def _other_names(body: list[ast.stmt]) -> set[str]:
    """Return the names that statements of a module bind in another way than by ``def``, at any depth."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imported = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    nested = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return stored | imported | nested
