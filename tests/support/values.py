"""Small frozen values that tests of the core share."""

from __future__ import annotations

from typing import Any

from promptrial.model import ModelSpec, Prompt, Trial


def make_trial(**changes: Any) -> Trial:
    """Return a trial at one temperature with one replicate, with some fields changed."""
    fields: dict[str, Any] = {
        "slug": "m1-main",
        "model": ModelSpec("m1", "vendor/model-1", "fake"),
        "prompt_set": "main",
        "prompts": {"control": Prompt("You are careful.", "c" * 64), "treatment": Prompt("Be accurate.", "d" * 64)},
        "temps": (0.0,),
        "samples_per_item": {"0.0": 1},
        "top_p": 0.9,
        "top_k": 40,
        "max_new_tokens": {"open": 32, "closed": 16},
        "stop": ("\n",),
        "seed": 7,
    }
    return Trial(**fields | changes)
