"""Every adapter that a preset names, for tests of names and settings: those that are missing are the fake one."""

from __future__ import annotations

import pytest

from promptrial import registry
from promptrial.config.presets import KEYS_OF

__all__ = ["register_all"]


def register_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in into the registry for each adapter that is not there."""
    for name in KEYS_OF:
        if name not in registry.PROVIDERS:
            monkeypatch.setitem(registry.PROVIDERS, name, "tests.support.fake_provider:FakeProvider")
