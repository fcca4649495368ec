"""What is bought when a model is asked, and by which terms: the key of its price. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from promptrial import registry
from promptrial.model import ModelSpec

__all__ = ["Purchase"]

_PRICED_OPTIONS: Final = ("service_tier", "speed")
"""Keys of requests that vendors price."""
_USUAL: Final = frozenset({"auto", "default", "standard", "standard_only"})


@dataclass(frozen=True, slots=True)
class Purchase:
    """Requests to a model.

    Parameters
    ----------
    provider, id : str
        The instance and the model, as they may be written down.
    model : str
        The model as the vendor gets it.
    batch : bool
        Whether requests are sent in batches.
    cache_1h : bool
        Whether prompts are written to the vendor's cache for an hour.
    options : tuple of (str, str)
        Keys of requests that vendors price, with their values where these are not the usual ones.
    """

    provider: str
    id: str
    model: str
    batch: bool = False
    cache_1h: bool = False
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, model: ModelSpec) -> Purchase:
        """Return what is bought when a model is asked as the configuration says."""
        return cls(
            provider=model.provider,
            id=model.shown_id,
            model=model.id,
            batch=bool(registry.load("provider", model.adapter).jobs),
            cache_1h=model.options.cache_prompt == "1h",
            options=_priced_options(model.options.extra_body),
        )

    @property
    def key(self) -> tuple[str, str, tuple[str, ...]]:
        """What its price is kept by."""
        return self.provider, self.id, self.terms

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms that are not the usual ones, as they are kept with a price."""
        named = ("batch" if self.batch else "", "cache_1h" if self.cache_1h else "")
        return (*filter(None, named), *(f"{key}: {value}" for key, value in self.options))


def _priced_options(extra_body: str) -> tuple[tuple[str, str], ...]:
    body: dict[str, Any] = msgspec.json.decode(extra_body) if extra_body else {}
    return tuple(
        (key, str(body[key])) for key in _PRICED_OPTIONS if body.get(key) is not None and body[key] not in _USUAL
    )
