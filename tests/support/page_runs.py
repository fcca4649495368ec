"""Finished runs whose report is looked at in a browser: an ordinary one, and one in which everything is hostile."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from promptrial import registry
from promptrial.providers.request_rows import RequestRow
from tests.support import fake_provider
from tests.support.project import Project

__all__ = ["ATTACKS", "HOSTILE_FILE", "hostile_run", "judged_run", "ordinary_run", "small_project"]

ATTACKS: Final = (
    "<script>document.title = 'stolen'</script>",
    "</script><script>document.title = 'stolen'</script>",
    "<img src='https://example.org/x.png' onerror='document.title = 1'>",
    "\x1b[31mred\x1b[0m and \u202eturned around\u202c",
    '=HYPERLINK("https://example.org")',
    "before\x00after",
    "word " * 200_000,
)
"""Answers that a page may only show: the last is one line of a megabyte."""
HOSTILE_FILE: Final = "<b>&quot;'<script>.txt"


@contextlib.contextmanager
def small_project(root: Path, said: Callable[[RequestRow], str] | None = None) -> Iterator[Project]:
    """Make a small experiment in a folder, on a provider whose answers are those of a function, if it is given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")
        patch.setenv("PROMPTRIAL_YES", "1")
        patch.setenv("XDG_STATE_HOME", str(root / "state"))
        for name in [name for name in os.environ if name.startswith("PROMPTRIAL_") and name != "PROMPTRIAL_YES"]:
            patch.delenv(name)
        patch.chdir(root)
        if said is not None:
            patch.setattr(fake_provider, "answer", lambda row: _row(row, said(row)))
        yield Project.make(root)


def _row(row: RequestRow, text: str) -> bytes:
    return msgspec.json.encode(fake_provider._Row(row.custom_id, text, tokens=5))


def ordinary_run(root: Path, items: int = 40) -> Path:
    """Return the report of a run in which the treatment knows more: some items are fixed, some broken, some missing."""
    with small_project(root, _knowing) as project:
        rows = [
            {"id": f"q{n}", "question": f"What is number {n}?", "answers": [f"answer {n}"], "context": _passage(n)}
            for n in range(items)
        ]
        (root / "config/closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        project.write_config({"datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}}})
        return _report(project)


def _passage(n: int) -> str:
    return f"Passage {n // 4}. " + "It says a lot of things that matter little. " * 12 + f"And it says answer {n}."


def _knowing(row: RequestRow) -> str:
    """Answer by the number of the question: right in both, fixed, broken, wrong in both."""
    system, question = row.body.messages[0].content, row.body.messages[-1].content
    number, is_control = int(question.split("number ")[1].split("?")[0]), "careful" in system
    is_right = {0: True, 1: not is_control, 2: not is_control, 3: False, 4: is_control and number > 20}[number % 5]
    return f"answer {number}" if is_right else "I do not remember what that was"


def hostile_run(root: Path) -> Path:
    """Return the report of a run whose answers, questions, ids, passages and prompts try to be more than text."""
    with small_project(root, _attack) as project:
        rows = [
            {"id": f"={n}<i>", "question": f"{attack[:300]} {n}?", "answers": [attack[:300]], "context": attack[:3000]}
            for n, attack in enumerate(ATTACKS)
        ]
        (root / "config/closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (root / "config" / HOSTILE_FILE).write_text(f"{ATTACKS[1]} {ATTACKS[2]} {ATTACKS[3]}".replace("\x1b", ""))
        project.write_config(
            {
                "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
                "prompt_sets": {"main": {"control": "control.txt", "treatment": HOSTILE_FILE}},
            }
        )
        return _report(project)


def judged_run(root: Path, reason: str) -> Path:
    """Return the report of a run whose answers a judge scored and compared, always for this reason.

    The later of two answers is the better one, by the judge.
    """

    def said(row: RequestRow) -> str:
        if row.schema is None:
            return f"answer to {row.body.messages[0].content}"
        verdict = {"winner": "B"} if "winner" in row.schema["properties"] else {"score": 1}
        return json.dumps({"reason": reason, **verdict})

    with small_project(root, said) as project:
        (root / "config/rubric.md").write_text("1 if the answer is right.\n")
        judge = {"model": "judge", "file": "rubric.md"}
        models = {"m1": {"id": "small", "provider": "fake"}, "judge": {"id": "big", "provider": "fake"}}
        scorers = {"quality": judge | {"type": "judge"}, "better": judge | {"type": "pairwise_judge"}}
        project.write_config({"models": models, "scorers": scorers, "limit_items": 3})
        return _report(project)


def _attack(row: RequestRow) -> str:
    number = int(row.body.messages[-1].content.rsplit("?", 1)[0].rsplit(" ", 1)[1])
    return ATTACKS[number] if "careful" in row.body.messages[0].content else f"changed {ATTACKS[number]}"


def _report(project: Project) -> Path:
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    return project.run_root() / "report.html"
