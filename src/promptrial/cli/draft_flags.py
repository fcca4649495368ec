"""The flags of ``init`` and ``try`` that say what a new configuration is made from."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli.options import Parser, add_flag
from promptrial.errors import UsageError
from promptrial.model.arms import ARM_PATTERN, PAIR, ArmName

if TYPE_CHECKING:
    from promptrial.config.draft import DraftModel

__all__ = ["add_draft_flags", "dataset", "model", "prompts", "questions", "words_again"]

_FIRST, _OTHER = PAIR
_NAMED: Final = re.compile(rf"({ARM_PATTERN.pattern})=(.+)", re.DOTALL)


def add_draft_flags(parser: Parser, *, required: bool) -> None:
    """Add ``--questions``, what says how to read it, ``--model`` and a flag for the prompt of each of the two arms."""
    add_flag(parser, "questions", "question file: CSV, TSV, JSON, JSONL, Parquet, Excel; its format is recognised",
             type=Path, required=required, metavar="FILE")  # fmt: skip
    add_flag(parser, "columns", "which column holds what, where that is not recognised: question=Frage,answers=Antwort",
             metavar="ROLE=COLUMN,...")  # fmt: skip
    add_flag(parser, "encoding", "the encoding of the question file, if not UTF-8: cp1252, latin-1", metavar="NAME")
    add_flag(parser, _FIRST, "the system prompt to compare with: a file, or the text itself", required=required,
             metavar="FILE|TEXT")  # fmt: skip
    add_flag(parser, _OTHER, "the system prompt to test: a file, or the text itself; for several, give "
             "NAME=FILE several times", required=required, action="append", metavar="FILE|TEXT")  # fmt: skip
    add_flag(parser, "model", "smollm2-135m (default), a GGUF file, or PROVIDER/ID, such as "
             "openai/gpt-4o-mini", metavar="NAME")  # fmt: skip
    add_flag(parser, "base_url", "the address of the model's server, such as http://127.0.0.1:8113/v1", metavar="URL")
    add_flag(parser, "mode", "live asks a hosted model request by request; batch, the default where there are batches, "
             "is cheaper and may take hours", choices=("batch", "live"))  # fmt: skip


def prompts(args: argparse.Namespace, missing: Mapping[ArmName, str]) -> dict[ArmName, Path | str]:
    """Return the prompt of each arm, a file or a text, the control first; ``missing`` stands in for those not given.

    Raises
    ------
    UsageError
        If one names a file that is not there, or arms share a name.
    """
    from promptrial.care.draft_inputs import prompt_given

    treatments = dict(_named(each) for each in _others(args))
    if len(treatments) < len(_others(args)):
        raise UsageError(
            f"--{_OTHER}: several with one name",
            hint=f"name each: --{_OTHER} short=B.txt --{_OTHER} strict=C.txt",
        )
    if _FIRST in treatments:
        raise UsageError(f"--{_OTHER}: {_FIRST} is the name of the other arm", hint="give it another name")
    texts: dict[ArmName, str | None] = {_FIRST: getattr(args, _FIRST), **(treatments or {_OTHER: None})}
    return {
        name: missing[name] if text is None else prompt_given(f"--{name if name == _FIRST else _OTHER}", text)
        for name, text in texts.items()
    }


def _others(args: argparse.Namespace) -> list[str]:
    """Return each treatment as it was typed; an environment variable gives one."""
    given = getattr(args, _OTHER) or []
    return [given] if isinstance(given, str) else given


def _named(text: str) -> tuple[ArmName, str]:
    """Return the name and the text of a treatment; a file may have any name."""
    match = None if os.path.exists(text) else _NAMED.fullmatch(text)  # noqa: PTH110 - it never raises
    return (match[1], match[2]) if match else (_OTHER, text)


def questions(args: argparse.Namespace) -> Path | None:
    """Return the question file, if one is given."""
    from promptrial.care.draft_inputs import questions_given

    return None if args.questions is None else questions_given(args.questions)


def dataset(args: argparse.Namespace) -> dict[str, object]:
    """Return the keys of the question set that flags give.

    Raises
    ------
    UsageError
        If one is wrong, or there is no question file to which it applies.
    """
    from promptrial.care.question_keys import columns_given, encoding_given

    given = {"columns": args.columns, "encoding": args.encoding}
    flags = [f"--{name}" for name, value in given.items() if value is not None]
    if flags and args.questions is None:
        raise UsageError(f"{flags[0]} says how to read a question file, and none is given", hint="add --questions FILE")
    found: dict[str, object] = {}
    if args.columns is not None:
        found["columns"] = columns_given(args.columns)
    if args.encoding is not None:
        found["encoding"] = encoding_given(args.encoding)
    return found


def model(args: argparse.Namespace) -> DraftModel:
    """Return the model that is named, or the embedded one."""
    from promptrial.care.draft_inputs import model_named

    given = {"base_url": args.base_url, "mode": args.mode}
    return model_named(args.model, {key: value for key, value in given.items() if value is not None})


def words_again(args: argparse.Namespace) -> str:
    """Return these flags as they would be typed again."""
    return shlex.join(_words(args))


def _words(args: argparse.Namespace) -> Iterator[str]:
    told = [(name, getattr(args, name)) for name in ("questions", "columns", "encoding")]
    pairs = [*told, (_FIRST, getattr(args, _FIRST))]
    for name, value in [*pairs, *((_OTHER, each) for each in _others(args)), ("model", args.model),
                        ("base_url", args.base_url), ("mode", args.mode)]:  # fmt: skip
        if value is not None:
            text = str(value)
            yield from (f"--{name}={text}",) if text.startswith("-") else (f"--{name}", text)
