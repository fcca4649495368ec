"""Small frozen values that tests of the core share."""

from __future__ import annotations

from typing import Any

from promptrial.model import Arm, ModelSpec, Prompt, TaskTemplates, Trial

PROMPTS = {"control": Prompt("You are careful.", "c" * 64), "treatment": Prompt("Be accurate.", "d" * 64)}
TEMPLATES = TaskTemplates("P: {context}\nQ: {question}\nA:", "Q: {question}\nA:")


def make_trial(**changes: Any) -> Trial:
    """Return a trial at one temperature with one replicate, with some fields changed; ``prompts`` become its arms."""
    fields: dict[str, Any] = {
        "slug": "m1-main",
        "model": ModelSpec("m1", "vendor/model-1", "fake"),
        "prompt_set": "main",
        "temps": (0.0,),
        "samples_per_item": {"0.0": 1},
        "top_p": 0.9,
        "top_k": 40,
        "max_new_tokens": {"open": 32, "closed": 16},
        "stop": ("\n",),
        "seed": 7,
    }
    fields |= changes
    prompts = fields.pop("prompts", PROMPTS)
    fields.setdefault("arms", tuple(Arm(name, prompt, fields["model"], TEMPLATES) for name, prompt in prompts.items()))
    fields.setdefault("conditions", tuple(arm.name for arm in fields["arms"]))
    return Trial(**fields)
