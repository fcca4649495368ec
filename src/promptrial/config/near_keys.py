"""Which key was meant by one that is unknown: a slip of the pen, another tool's word, or a key of another section."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import BaseModel

__all__ = ["examples", "meant"]

_OTHER_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "": {
        "arms": "prompt_sets",
        "data": "datasets",
        "dataset": "datasets",
        "epochs": "samples_per_item",
        "evaluators": "scorers",
        "limit": "limit_items",
        "llm": "models",
        "max_tokens": "max_new_tokens",
        "metrics": "scorers",
        "model": "models",
        "prompt": "prompt_sets",
        "prompt_set": "prompt_sets",
        "prompts": "prompt_sets",
        "questions": "datasets",
        "repeat": "samples_per_item",
        "repeats": "samples_per_item",
        "scorer": "scorers",
        "scores": "scorers",
        "stop_sequences": "stop",
        "system_prompts": "prompt_sets",
        "task": "datasets",
        "tasks": "datasets",
        "temp": "temps",
        "temperature": "temps",
        "temperatures": "temps",
        "template": "task_instructions",
        "templates": "task_instructions",
        "tests": "datasets",
        "user_prompt": "task_instructions",
        "variants": "prompt_sets",
    },
    "DatasetConfig": {
        "data": "path",
        "delimiter": "separator",
        "field_mapping": "columns",
        "fields": "columns",
        "file": "path",
        "filename": "path",
        "file_path": "path",
        "limit": "size",
        "limit_items": "size",
        "n": "size",
        "repo": "hub",
        "sheet_name": "sheet",
        "tab": "sheet",
        "type": "format",
        "worksheet": "sheet",
    },
    "ModelConfig": {"api": "provider", "file": "path", "gguf": "path", "model": "id", "name": "id", "weights": "path"},
    "ProviderConfig": {
        "api_base": "base_url",
        "api_key": "key",
        "api_key_env": "key",
        "api_type": "type",
        "concurrency": "max_in_flight",
        "endpoint": "base_url",
        "env": "key",
        "key_env": "key",
        "max_concurrency": "max_in_flight",
        "parallel": "max_in_flight",
        "provider": "type",
        "timeout": "timeout_s",
        "url": "base_url",
        "vendor": "type",
        "verify": "ca_file",
    },
    "PromptSetConfig": {
        "baseline": "control",
        "candidate": "treatment",
        "new": "treatment",
        "old": "control",
        "prompts": "treatments",
        "variant": "treatment",
        "variants": "treatments",
    },
    "ArmConfig": {"content": "text", "file": "path", "system": "text", "system_prompt": "text"},
    "ColumnsConfig": {
        "answer": "answers",
        "expected": "answers",
        "gold": "answers",
        "ideal": "answers",
        "input": "question",
        "options": "choices",
        "passage": "context",
        "prompt": "question",
        "query": "question",
        "target": "answers",
        "topic": "category",
    },
}
"""Section (the name of its class; the top level is empty) -> word of other tools -> our key."""
_EXAMPLES: Final[Mapping[str, str]] = {
    "models": "models: {small: smollm2-135m-instruct}",
    "prompt_sets": "prompt_sets: {default: {control: control.txt, treatment: treatment.txt}}",
    "datasets": "datasets: {mine: questions.csv}",
}


def meant(key: str, section: type[BaseModel], known: Sequence[str], whole: type[BaseModel]) -> str:
    """Return what to say about an unknown key: the key that was meant, else those that are known.

    Parameters
    ----------
    key : str
    section : type of BaseModel
        Where it is.
    known : sequence of str
        The keys of the section.
    whole : type of BaseModel
        The whole configuration, whose sections are searched for the key.
    """
    words = _OTHER_WORDS.get("" if section is whole else section.__name__, {})
    word = key.casefold().replace("-", "_")
    if word in words:
        return f"; did you mean {words[word]!r}?"
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    elsewhere = list(_sections_with(word, whole)) if section is whole else []
    if len(elsewhere) == 1:
        return f"; did you mean {word!r} in {elsewhere[0]!r}?"
    return f"; known: {', '.join(known)}"


def _sections_with(key: str, whole: type[BaseModel]) -> Iterator[str]:
    """Yield the names of top-level sections that have a key and no names of the user's own."""
    for name, field in whole.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and key in inner.model_fields:
            yield name


def examples(at: Sequence[str | int]) -> str:
    """Return how a section with names of the user's own is written; empty for others."""
    text = _EXAMPLES.get(str(at[0])) if len(at) == 1 or at[1] in {"control", "treatment", "treatments"} else None
    return f"; for example `{text}`" if text else ""
