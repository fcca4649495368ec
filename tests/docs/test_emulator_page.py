"""The page of the emulator lists every call of its control API."""

from __future__ import annotations

import re
from pathlib import Path
from unittest.mock import Mock

from starlette.routing import Route

from promptrial_emulator.control import control_routes

PAGE = (Path(__file__).parents[2] / "docs/emulator.md").read_text(encoding="utf-8")


def test_every_call_of_the_control_api_has_a_row() -> None:
    routes = [route for route in control_routes(Mock(), [], Mock()) if isinstance(route, Route)]
    calls = [f"{method} {route.path}" for route in routes for method in route.methods or () if method != "HEAD"]
    assert sorted(re.findall(r"^\| `([A-Z]+ /__emu/\w+)`", PAGE, re.MULTILINE)) == sorted(calls)
