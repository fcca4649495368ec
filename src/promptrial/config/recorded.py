"""The prices in the configuration that a run recorded, which may be of another version, or edited."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from promptrial.config.pricing import ProviderPricing
from promptrial.config.yaml_text import load_file
from promptrial.errors import CorruptRecordError

__all__ = ["recorded_pricing"]

_PRICING = TypeAdapter(dict[str, ProviderPricing])


def recorded_pricing(path: Path) -> dict[str, ProviderPricing]:
    """Return the section ``pricing`` of a recorded configuration, by provider; empty if it has none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CorruptRecordError
        If it is damaged, or holds something else than prices there.
    """
    try:
        tree = load_file(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise CorruptRecordError(f"{path}: damaged: {error}") from error
    if not isinstance(tree, dict):
        raise CorruptRecordError(f"{path}: damaged: it holds no keys")
    try:
        return _PRICING.validate_python(tree.get("pricing") or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = ".".join(map(str, ("pricing", *first["loc"])))
        raise CorruptRecordError(f"{path}: {key}: {first['msg']}") from error
