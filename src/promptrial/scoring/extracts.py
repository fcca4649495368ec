"""What of an answer is scored: steps that find a part of a text. Pure.

A step is a frozen dataclass, its fields are its settings; the first field has the name of the step, and holds what it
looks for. ``registry.EXTRACTS`` names them all.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self

from promptrial.scoring.expressions import LIBRARIES, compiled, searchable
from promptrial.scoring.json_values import MISSING, at_path

__all__ = ["After", "Extract", "FencedBlock", "FirstLine", "Found", "JsonField", "LastLine", "Pattern", "Step"]

_FENCE: Final = re.compile(r" {0,3}(?P<fence>(?=(?P<ticks>`{3,}))(?P=ticks)(?!.*`)|~{3,})[ \t]*(?P<info>\S*)")
"""An opening or closing fence. After backticks no other one may be on the line: that would be inline code."""
_LONGEST: Final = 1000
_MOST_WORK: Final = 16
"""How often a text may be read, as a whole, in search of JSON."""
_OPENING: Final = re.compile(r"[{\[]")


@dataclass(frozen=True)
class Step:
    """One step. ``missing`` says what is scored of a text that it finds nothing in: nothing, or the whole of it."""

    libraries: ClassVar[Mapping[str, str]] = {}

    missing: Literal["empty", "whole"] = field(default="empty", kw_only=True)

    @abstractmethod
    def find(self, text: str) -> str | None:
        """Return the part of the text; None if it does not exist."""

    @abstractmethod
    def of(self, text: str) -> str:
        """Return in words what is found, given the words for the text that it is looked for in."""


class Found(NamedTuple):
    """What steps found: the text that is scored, None if there is none, and whether every step found something."""

    text: str | None
    complete: bool


@dataclass(frozen=True)
class Extract:
    """Steps, each looking in what the one before it found."""

    steps: tuple[Step, ...]

    def __call__(self, text: str) -> Found:
        r"""Return what is scored of a text. What holds nothing but white space counts as not found.

        Examples
        --------
        >>> Extract((After("answer:"), FirstLine()))("So it is 4.\nAnswer: 4\nSure.")
        Found(text='4', complete=True)
        >>> Extract((After("answer:"),))("So it is 4."), Extract((After("answer:", missing="whole"),))("It is 4.")
        (Found(text=None, complete=False), Found(text='It is 4.', complete=False))
        """
        complete = True
        for step in self.steps:
            found = (step.find(text) or "").strip()
            if not found:
                complete = False
                if step.missing == "empty":
                    return Found(None, complete)
            else:
                text = found
        return Found(text, complete)

    def __str__(self) -> str:
        """What is scored, in words."""
        words = "the answer"
        for step in self.steps:
            words = step.of(words)
        return words


@dataclass(frozen=True)
class After(Step):
    """What follows the last occurrence of a marker, to the end of the text.

    Attributes
    ----------
    after : str
        The marker, such as ``"Answer:"`` or ``"####"``.
    case : bool
        Whether upper and lower case differ in it.

    Raises
    ------
    ValueError
        If the marker is blank, or longer than 1,000 characters.
    """

    after: str
    case: bool = False

    def __post_init__(self) -> None:
        if not self.after.strip() or len(self.after) > _LONGEST:
            raise ValueError(f"a marker has 1 to {_LONGEST:,} visible characters")

    def find(self, text: str) -> str | None:
        """Return what follows the last marker."""
        if self.case:
            _, marker, rest = text.rpartition(self.after)
            return rest if marker else None
        last = None
        for match in re.finditer(re.escape(self.after), text, re.IGNORECASE):
            last = match
        return None if last is None else text[last.end() :]

    def of(self, text: str) -> str:
        """Name it by its marker."""
        return f"what follows the last “{self.after}” in {text}"


@dataclass(frozen=True)
class LastLine(Step):
    """The last line that is not blank."""

    last_line: Literal[True] = True

    def find(self, text: str) -> str | None:
        """Return the last line."""
        lines = text.rstrip().splitlines()
        return lines[-1] if lines else None

    def of(self, text: str) -> str:
        """Name it."""
        return f"the last line of {text}"


@dataclass(frozen=True)
class FirstLine(Step):
    """The first line that is not blank."""

    first_line: Literal[True] = True

    def find(self, text: str) -> str | None:
        """Return the first line."""
        lines = text.lstrip().splitlines()
        return lines[0] if lines else None

    def of(self, text: str) -> str:
        """Name it."""
        return f"the first line of {text}"


@dataclass(frozen=True)
class FencedBlock(Step):
    """What is in the last fenced block: between lines of three backticks or tildes, or to the end of the text.

    Attributes
    ----------
    fenced_block : str
        The language that is after the opening fence, in any case; any if empty.

    References
    ----------
    CommonMark 0.31, section 4.5, "Fenced code blocks".
    """

    fenced_block: str = ""

    def find(self, text: str) -> str | None:
        """Return the content of the last block."""
        last = None
        for language, content in _blocks(text):
            if self.fenced_block.casefold() in {"", language.casefold()}:
                last = content
        return last

    def of(self, text: str) -> str:
        """Name it, with its language."""
        kind = f"`{self.fenced_block}` block" if self.fenced_block else "fenced block"
        return f"the last {kind} in {text}"


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield language and content of each fenced block."""
    fence, language, lines = "", "", list[str]()
    for line in text.splitlines():
        match = _FENCE.match(line)
        if not fence:
            if match:
                fence, language, lines = match["fence"], match["info"], []
        elif match and match["fence"].startswith(fence) and not line[match.end() :].strip() and not match["info"]:
            yield language, "\n".join(lines)
            fence = ""
        else:
            lines.append(line)
    if fence:
        yield language, "\n".join(lines)


class _Written(float):
    """A number of a JSON text that remembers how it was written."""

    def __new__(cls, text: str) -> Self:
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str


_DECODER: Final = json.JSONDecoder(parse_float=_Written)


@dataclass(frozen=True)
class JsonField(Step):
    """A field of the first JSON object or array in the text that has it.

    Text is taken as it is; a number as it is written, ``true`` and ``false`` as these words, an object or array as
    JSON; ``null`` counts as not found. Of a key that occurs twice in an object the last value counts.

    Attributes
    ----------
    json : str
        Keys from the outside in, with dots between them; whole numbers count the elements of an array from 0.

    Raises
    ------
    ValueError
        If the path is empty.
    """

    json: str

    def __post_init__(self) -> None:
        if not all(self.json.split(".")) or len(self.json) > _LONGEST:
            raise ValueError("the path of a field is keys with dots between them, such as `answer` or `answers.0.text`")

    def find(self, text: str) -> str | None:
        """Return the value of the field as text."""
        places = (at_path(each, self.json) for each in _values(text))
        value: Any = next((found for found in places if found is not MISSING and found is not None), None)
        if value is None or isinstance(value, str):
            return value
        return value.text if isinstance(value, _Written) else json.dumps(value, ensure_ascii=False)

    def of(self, text: str) -> str:
        """Name it by its path."""
        return f"the JSON field `{self.json}` in {text}"


def _values(text: str) -> Iterator[Any]:
    """Yield the JSON objects and arrays in a text, from all brackets that may begin one, while the work is bounded."""
    end, work = 0, _MOST_WORK * len(text)
    while work >= 0 and (match := _OPENING.search(text, end)):
        start = match.start()
        try:
            value, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            end, work = match.end(), work - (error.pos - start) - 1
        except (ValueError, RecursionError):
            end, work = match.end(), work - (len(text) - start)
        else:
            yield value


@dataclass(frozen=True)
class Pattern(Step):
    """What a group of a regular expression matched, by RE2: no look-around, no back references.

    Attributes
    ----------
    regex : str
    group : int or str, optional
        Number or name of the group; the first if there is one, else the whole match.
    occurrence : {"last", "first"}
        Which match counts, if there are several.
    case : bool
        Whether upper and lower case differ.
    multiline : bool
        Whether ``^`` and ``$`` match at each line.
    dotall : bool
        Whether ``.`` matches a line break.

    Raises
    ------
    ValueError
        If the expression cannot be used, or has no such group.
    """

    libraries: ClassVar[Mapping[str, str]] = LIBRARIES

    regex: str
    group: int | str | None = None
    occurrence: Literal["last", "first"] = "last"
    case: bool = True
    multiline: bool = False
    dotall: bool = False

    def __post_init__(self) -> None:
        expression = self._expression()
        known = [*range(expression.groups + 1), *expression.groupindex]
        if self.group is not None and self.group not in known:
            raise ValueError(f"there is no group {self.group!r}; known: {', '.join(map(str, known))}")

    def find(self, text: str) -> str | None:
        """Return what the group matched."""
        expression, text = self._expression(), searchable(text)
        match = None
        if self.occurrence == "first":
            match = expression.search(text)
        else:
            for each in expression.finditer(text):
                match = each
        group = min(1, expression.groups) if self.group is None else self.group
        found: str | None = None if match is None else match.group(group)
        return found

    def of(self, text: str) -> str:
        """Name it by its expression."""
        return f"what `{self.regex}` matches in {text}"

    def _expression(self) -> Any:  # noqa: ANN401 - no types
        return compiled(self.regex, case=self.case, multiline=self.multiline, dotall=self.dotall)
