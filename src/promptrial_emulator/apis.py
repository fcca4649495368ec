"""The APIs that an emulator speaks, all at once on one port. A new one is a package and one entry here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from promptrial_emulator.anthropic.api import ANTHROPIC
from promptrial_emulator.api import Api
from promptrial_emulator.fireworks.api import FIREWORKS
from promptrial_emulator.openai.api import OPENAI

__all__ = ["APIS"]

APIS: Final[Mapping[str, Api]] = {api.name: api for api in (ANTHROPIC, FIREWORKS, OPENAI)}
"""By name. A path that two of them have belongs to the first whose headers a request has, or that needs none."""
