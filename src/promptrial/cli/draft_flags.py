"""The flags of ``init`` and ``try`` that say what a new configuration is made from."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial.cli.parser import Parser, add_flag
from promptrial.cli.values import positive
from promptrial.errors import UsageError
from promptrial.model.arms import ARM_PATTERN, PAIR, ArmName

if TYPE_CHECKING:
    from promptrial.config.draft import DraftModel

__all__ = ["add_draft_flags", "add_size_flags", "dataset", "model", "prompts", "questions", "top", "words_again"]

_FIRST, _OTHER = PAIR
_NAMED: Final = re.compile(rf"({ARM_PATTERN.pattern})=(.+)", re.DOTALL)


def add_draft_flags(parser: Parser, *, required: bool) -> None:
    """Add ``--questions``, what says how to read it, ``--model`` and a flag for the prompt of each of the two arms."""
    add_flag(parser, "questions", "question file (CSV, TSV, JSON, JSONL, Parquet or Excel); the format is detected",
             type=Path, required=required, metavar="FILE")  # fmt: skip
    add_flag(parser, "columns", "which column holds what, if that is not detected, such as "
                                "question=prompt,answers=target",
             metavar="ROLE=COLUMN,...")  # fmt: skip
    add_flag(
        parser,
        "encoding",
        "encoding of the question file if it is not UTF-8, such as cp1252 or latin-1",
        metavar="NAME",
    )
    add_flag(parser, "separator", "separator between several answers in one cell, such as ';' or '|'", metavar="TEXT")
    add_flag(parser, _FIRST, "the system prompt of the control: a file or the text itself", required=required,
             metavar="FILE|TEXT")  # fmt: skip
    add_flag(parser, _OTHER, (
        "the system prompt to test: a file or the text itself; for several, repeat --treatment NAME=FILE"
    ), required=required, action="append", metavar="FILE|TEXT")  # fmt: skip
    add_flag(parser, "model", "smollm2-135m (default), a GGUF file, or PROVIDER/ID, such as "
             "openai/gpt-4o-mini", metavar="NAME")  # fmt: skip
    add_flag(parser, "base_url", "address of the model's server, such as http://127.0.0.1:8113/v1", metavar="URL")
    add_flag(
        parser,
        "mode",
        "live sends each request on its own; batch is cheaper but may take hours (default: batch, if the provider "
        "has a batch API)",
        choices=("batch", "live"),
    )


def add_size_flags(parser: Parser, default: int | None = None) -> None:
    """Add the flags that bound the trial: how many questions, and how long an answer may be."""
    said = "all" if default is None else default
    add_flag(parser, "limit_items", f"use at most N questions (default: {said})", short="n", type=positive,
             default=default, metavar="N")  # fmt: skip
    add_flag(parser, "max_tokens",
        "maximum length of an answer, in tokens (default: depends on the questions)", type=positive,
             metavar="N")  # fmt: skip


def top(args: argparse.Namespace) -> dict[str, object]:
    """Return the top-level keys of the configuration that flags give."""
    found: dict[str, object] = {} if args.limit_items is None else {"limit_items": args.limit_items}
    if args.max_tokens is not None:
        found["max_new_tokens"] = {"open_book": args.max_tokens, "closed_book": args.max_tokens}
    return found


def prompts(args: argparse.Namespace, missing: Mapping[ArmName, str]) -> dict[ArmName, Path | str]:
    """Return the prompt of each arm, a file or a text, the control first; ``missing`` stands in for those not given.

    Raises
    ------
    UsageError
        If one names a file that does not exist, or arms share a name.
    """
    from promptrial.care.draft_inputs import prompt_given

    treatments = dict(_named(each) for each in _others(args))
    if len(treatments) < len(_others(args)):
        raise UsageError(
            f"--{_OTHER}: two prompts have the same name",
            hint=f"name each: --{_OTHER} short=B.txt --{_OTHER} strict=C.txt",
        )
    if _FIRST in treatments:
        raise UsageError(f"--{_OTHER}: {_FIRST} is the name of the control", hint="give it another name")
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
    """Return the keys of the data set that flags give.

    Raises
    ------
    UsageError
        If one is wrong, or there is no question file to which it applies.
    """
    from promptrial.care.question_keys import columns_given, encoding_given, separator_given

    given = {"columns": args.columns, "encoding": args.encoding, "separator": args.separator}
    flags = [f"--{name}" for name, value in given.items() if value is not None]
    if flags and args.questions is None:
        raise UsageError(f"{flags[0]} describes a question file, but no file was given", hint="add --questions FILE")
    found: dict[str, object] = {}
    if args.columns is not None:
        found["columns"] = columns_given(args.columns)
    if args.encoding is not None:
        found["encoding"] = encoding_given(args.encoding)
    if args.separator is not None:
        found["separator"] = separator_given(args.separator)
    return found


def model(args: argparse.Namespace) -> DraftModel:
    """Return the model that is named, or the embedded one."""
    from promptrial.care.draft_inputs import model_named

    given = {"base_url": args.base_url, "mode": args.mode}
    return model_named(args.model, {key: value for key, value in given.items() if value is not None})


def words_again(args: argparse.Namespace, *, limited: bool) -> str:
    """Return these flags as they would be typed again; ``limited`` if there are more questions than were used."""
    return shlex.join(_words(args, limited=limited))


def _words(args: argparse.Namespace, *, limited: bool) -> Iterator[str]:
    told = [(name, getattr(args, name)) for name in ("questions", "columns", "encoding", "separator")]
    pairs = [*told, (_FIRST, getattr(args, _FIRST))]
    for name, value in [*pairs, *((_OTHER, each) for each in _others(args)), ("model", args.model),
                        ("base_url", args.base_url), ("mode", args.mode), ("max_tokens", args.max_tokens),
                        ("limit_items", args.limit_items if limited else None)]:  # fmt: skip
        if value is not None:
            text = str(value)
            yield from (f"--{name}={text}",) if text.startswith("-") else (f"--{name}", text)
