"""JSON Schema: whether an answer is JSON of the shape that is asked for, with the right values in its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final

from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer
from promptrial.scoring.contract import Declaration, Scorer
from promptrial.scoring.json_schemas import CheckedSchema
from promptrial.scoring.json_values import MISSING, at_path, equal, read_json

__all__ = ["JsonSchema"]

_GOLD: Final = "gold"


@dataclass(frozen=True)
class JsonSchema(Scorer):
    """Whether an answer is valid JSON that fits a schema and has the right values in its fields: 1 or 0.

    Attributes
    ----------
    schema : dict, bool or str, optional
        The schema, also as the text of one; any JSON fits if there is none. ``format`` is a remark and is not checked.
    fields : dict or list of str
        Path in the answer (``a.b.0``) -> the expected value: ``gold`` is the accepted answer (a text as exact match
        compares it, anything else as JSON), ``gold.x.y`` the value at a path of the accepted answer, which then is
        JSON. A list of paths compares each with the same path of the accepted answer.

    Notes
    -----
    Numbers are equal as numbers (1 and 1.0), true is not 1, and objects are equal in any order of keys. With several
    accepted answers one of them has to agree in all fields. Without ``fields`` the accepted answers play no part: an
    abstention is right where the item is unanswerable, and is no JSON elsewhere. With ``fields``, an answer to an
    unanswerable item is right if it abstains or has null in all of them.

    References
    ----------
    JSON Schema 2020-12 (https://json-schema.org/draft/2020-12), or the draft that ``$schema`` names, as ``jsonschema``
    validates it; RFC 8259.
    """

    libraries: ClassVar = {"jsonschema": "jsonschema", "re2": "google-re2"}
    file_setting: ClassVar = "schema"

    schema: dict[str, Any] | bool | str | None = None
    fields: dict[str, str] | tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Check the schema and the paths."""
        for path, wanted in self._wanted.items():
            if not all(path.split(".")):
                raise ValueError(f"`fields`: {path!r} is no path: write keys with dots between them, as a.b")
            if wanted != _GOLD and not (wanted.startswith(f"{_GOLD}.") and all(wanted.split("."))):
                raise ValueError(f"`fields`: {path}: expected `gold` or `gold.` and a path; given: {wanted!r}")
        if self.schema is not None:
            self._checked  # noqa: B018 - checked once, here

    @property
    def declared(self) -> Declaration:
        """What the scores mean; accepted answers are needed for fields alone."""
        return Declaration(
            label="JSON",
            meaning="Is the answer JSON that matches the schema, with the correct values in its fields?"
            if self._wanted
            else "Is the answer JSON that matches the schema?",
            scale="binary",
            direction="higher",
            needs=("gold",) if self._wanted else (),
        )

    @cached_property
    def _wanted(self) -> Mapping[str, str]:
        return self.fields if isinstance(self.fields, dict) else {path: f"{_GOLD}.{path}" for path in self.fields}

    @cached_property
    def _checked(self) -> CheckedSchema:
        if isinstance(self.schema, str):
            try:
                schema = read_json(self.schema)
            except ValueError as error:
                raise ValueError(f"the schema is not valid JSON: {error}") from None
        else:
            schema = self.schema
        if not isinstance(schema, dict | bool):
            raise ValueError("the schema must be an object, true or false")  # noqa: TRY004 - reported as a setting
        return CheckedSchema(schema)

    def gold_problem(self, item: Item) -> str | None:
        """Each accepted answer must be JSON with the values that ``fields`` takes from a path in it."""
        paths = dict.fromkeys(wanted for wanted in self._wanted.values() if wanted != _GOLD)
        for text in item.answers if paths else ():
            try:
                for wanted in paths:
                    _expected(text, wanted)
            except ValueError as error:
                return str(error)
        return None

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:
        """Return 1 if the answer is JSON that fits and agrees, else 0."""
        if answer.abstained and gold.item.is_unanswerable:
            return 1.0
        try:
            value = read_json(answer.response.text)
        except ValueError:
            return 0.0
        if self.schema is not None and not self._checked.fits(value):
            return 0.0
        return float(self._agrees(gold, value))

    def _agrees(self, gold: Gold, value: object) -> bool:
        if not self._wanted:
            return True
        found = {path: at_path(value, path) for path in self._wanted}
        if gold.item.is_unanswerable:
            return all(each is None for each in found.values())
        return any(
            all(_is(gold, text, wanted, found[path]) for path, wanted in self._wanted.items())
            for text in gold.item.answers
        )


_accepted: Final = lru_cache(maxsize=8192)(read_json)  # an accepted answer is asked for by every field and answer


def _is(gold: Gold, text: str, wanted: str, value: object) -> bool:
    """Whether a value of the answer is the wanted one of an accepted answer."""
    if value is MISSING:
        return False
    if wanted == _GOLD and isinstance(value, str):
        return gold.rules.normalize(value) == gold.rules.normalize(text)
    if wanted != _GOLD:
        return equal(value, _expected(text, wanted))
    try:
        return equal(value, _accepted(text))
    except ValueError:
        return False


def _expected(text: str, wanted: str) -> object:
    """Return the value at a path of an accepted answer."""
    try:
        found = at_path(_accepted(text), wanted.partition(".")[2])
    except ValueError as error:
        raise ValueError(
            f"`fields` wants {wanted}, but the accepted answer {text[:40]!r} is not JSON: {error}"
        ) from None
    if found is MISSING:
        raise ValueError(f"`fields` wants {wanted}, which the accepted answer {text[:40]!r} does not have")
    return found
