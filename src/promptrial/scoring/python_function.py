"""A function in a Python file of the user's, as a scorer: it gets what its parameters name, and returns a number.

What its scores mean is in the configuration (``config.stated``) or follows from its signature: a parameter without
a default is what it needs, and ``-> bool`` makes the scale binary. Nothing is guessed from the scores themselves.
"""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

import numpy as np

from promptrial.config.functions import (
    APPLIES,
    OF_AN_ANSWER,
    OF_AN_ITEM,
    Parameters,
    function_settings,
    needs_of,
    parameter_problem,
)
from promptrial.config.stated import STATED, Stated, label_of
from promptrial.config.typed import SettingsError, typed
from promptrial.documents.scorers import Scale
from promptrial.errors import ScoreError
from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Response, Scorer

__all__ = ["function_scorer", "unsaid_truth"]

_VALUES: Final[Mapping[str, Callable[[Item, Response], object]]] = {
    "answer": lambda _item, response: response.text,
    "response": lambda _item, response: response,
    "item": lambda item, _response: item,
    "question": lambda item, _response: item.question,
    "golds": lambda item, _response: list(item.answers),
    "context": lambda item, _response: item.context,
    "choices": lambda item, _response: list(item.choices),
}
_NO_ANSWER: Final = Response("")


@dataclass(frozen=True)
class FunctionScorer(Scorer):
    """A function as a scorer.

    ``wanted`` are the parameters that get a value of the item or its answer, ``required`` those of them that have no
    default, ``settings`` the other arguments. ``applying`` is the function that says whether it applies to an item,
    with its parameters. ``unsaid`` holds the types of what it returned (``bool`` for truth values) where nothing says
    what the scale is, and is None where something does.
    """

    name: str
    function: Callable[..., object]
    wanted: tuple[str, ...]
    required: tuple[str, ...]
    settings: Mapping[str, Any]
    said: Declaration
    applying: tuple[Callable[..., object], tuple[str, ...]] | None = None
    unsaid: set[type] | None = field(default=None, compare=False)

    @property
    def declared(self) -> Declaration:
        """What the configuration and the signature say."""
        return self.said

    def applies(self, item: Item) -> bool:
        """Items that have all that the function needs, and that ``applies`` does not leave out."""
        if not super().applies(item) or not _has_golds(item, self.required):
            return False
        if self.applying is None:
            return True
        function, wanted = self.applying
        applies = function(**_arguments(wanted, item, _NO_ANSWER))
        if not isinstance(applies, bool | np.bool_):
            raise ScoreError(
                f"scorer {self.name}: `{function.__name__}` returned {applies!r} for item {item.id!r} of "
                f"{item.dataset}; expected True or False",
                hint="correct the function, then resume the run",
            )
        return bool(applies)

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Return what the function returns, as a float; a truth value is 0 or 1."""
        value = self.function(**_arguments(self.wanted, gold.item, answer.response), **self.settings)
        if isinstance(value, numbers.Real | np.bool_):
            if self.unsaid is not None:
                self.unsaid.add(bool if isinstance(value, np.bool_) else type(value))
            return float(value)
        raise ScoreError(
            f"scorer {self.name}: item {gold.item.id!r} of {gold.item.dataset}: the function returned "
            f"{_shortly(value)}; expected a number, True or False",
            hint=(
                "to skip an item, give a function of the file as `applies:`; it receives only the item, so every "
                "arm is scored on the same items"
            )
            if value is None
            else "correct the function, then resume the run",
        )


def function_scorer(name: str, file: str, function: str, module: ModuleType, settings: Mapping[str, Any]) -> Scorer:
    """Return a function of a module, as the configuration names it, as a scorer.

    Parameters
    ----------
    name : str
        The scorer.
    file, function : str
        As messages name them.
    module : ModuleType
        What the file of the user's is, after it has been run.
    settings : mapping
        All keys of its entry in the configuration that not every entry may have.

    Raises
    ------
    SettingsError
        If a setting is wrong, or the parameters are none that get a value.
    ScoreError
        If the module has no such function.
    """
    found = _function(name, file, module, function)
    stated = typed(Stated, {key: value for key, value in settings.items() if key in STATED})
    parameters, given = _parameters(found), function_settings(settings)
    _check(function, parameters, given, OF_AN_ANSWER)
    wanted = tuple(each for each in parameters.names if each in OF_AN_ANSWER)
    required = tuple(each for each in parameters.required if each in OF_AN_ANSWER)
    doc = (inspect.getdoc(found) or "").strip().partition("\n")[0]
    said = stated.declaration(
        label_of(name), doc or f"What does {function} of {file} return?", _scale(found), needs_of(parameters)
    )
    applying = None
    if APPLIES in settings:
        other = _function(name, file, module, str(settings[APPLIES]))
        of_item = _parameters(other)
        _check(str(settings[APPLIES]), of_item, {}, OF_AN_ITEM)
        applying = (other, tuple(each for each in of_item.names if each in OF_AN_ITEM))
    says_scale = stated.scale is not None or "return" in getattr(found, "__annotations__", {})
    unsaid = None if says_scale else set[type]()
    return FunctionScorer(name, found, wanted, required, given, said, applying, unsaid)


def unsaid_truth(scorers: Mapping[str, Scorer]) -> Iterator[str]:
    """Yield a sentence for each function that returned nothing but True and False, where nothing says its scale."""
    for name, scorer in scorers.items():
        if isinstance(scorer, FunctionScorer) and scorer.unsaid == {bool}:
            yield (
                f"{name}: the function returned only True and False, but its scores are treated as continuous "
                f"numbers, because nothing declares them binary; write `scale: binary` in scorers.{name}, or `-> "
                "bool` behind the "
                "parameters of the function, and resume (docs/own_scorers.md#a-function-of-your-own)"
            )


def _function(name: str, file: str, module: ModuleType, function: str) -> Callable[..., object]:
    found = getattr(module, function, None)
    if not callable(found) or inspect.iscoroutinefunction(found):
        raise ScoreError(
            f"scorer {name}: {file} has no plain function {function!r}",
            hint="correct the file or its name in the configuration, then resume the run",
        )
    function_: Callable[..., object] = found
    return function_


def _parameters(function: Callable[..., object]) -> Parameters:
    kinds = inspect.Parameter
    every = [each for each in inspect.signature(function).parameters.values() if each.kind != kinds.VAR_POSITIONAL]
    named = [each for each in every if each.kind in {kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY}]
    return Parameters(
        tuple(each.name for each in named if each.default is kinds.empty),
        tuple(each.name for each in named if each.default is not kinds.empty),
        any(each.kind == kinds.VAR_KEYWORD for each in every),
        tuple(each.name for each in every if each.kind == kinds.POSITIONAL_ONLY),
    )


def _check(function: str, parameters: Parameters, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    problem = parameter_problem(parameters, given, known)
    if problem is not None:
        raise SettingsError(f"{function}: {problem[1]}", problem[0])


def _scale(function: Callable[..., object]) -> Scale:
    """Return the scale that a function says about itself: binary if it is annotated to return a truth value."""
    returns = getattr(function, "__annotations__", {}).get("return")
    return "binary" if returns in {bool, "bool"} else "continuous"


def _has_golds(item: Item, required: tuple[str, ...]) -> bool:
    """Whether an item has accepted answers, if a parameter without a default stands for them.

    An unanswerable item has none, though it has a gold; what else such parameters stand for is in ``needs``.
    """
    return bool(item.answers) or "golds" not in required


def _arguments(wanted: tuple[str, ...], item: Item, response: Response) -> dict[str, object]:
    return {name: _VALUES[name](item, response) for name in wanted}


def _shortly(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}… ({type(value).__name__})"
