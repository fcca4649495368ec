"""What tests of ``promptrial doctor`` share: to ask it, and to give the very commands that it prints."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any, Final

from tests.support.project import Project
from tests.support.schemas import validate

_SCHEMA: Final = Path(__file__).parents[2] / "docs" / "schemas" / "doctor.schema.json"
TO_MEND: Final = 100

Findings = list[dict[str, Any]]


def examined(project: Project, *flags: str, run_id: str = "r") -> dict[str, Any]:
    """Return what the doctor says of a run, and require that it has changed nothing and said so in its own schema."""
    before = project.snapshot(run_id)
    outcome = project.call("doctor", run_id, "--json", *flags)
    assert outcome.code in {0, TO_MEND}, outcome.err
    assert project.snapshot(run_id) == before
    document: dict[str, Any] = json.loads(outcome.out)
    validate(document, json.loads(_SCHEMA.read_text()))
    assert document["healthy"] == (outcome.code == 0)
    return document


def findings(project: Project, kind: str | None = None, *, grave: bool = False, run_id: str = "r") -> Findings:
    """Return the findings of a kind, or all of them; with ``grave``, those alone that are more than a note."""
    found: Findings = examined(project, run_id=run_id)["findings"]
    return [each for each in found if kind in {None, each["kind"]} and not (grave and each["severity"] == "note")]


def the_one(project: Project, kind: str) -> dict[str, Any]:
    """Return the only finding of a kind."""
    found = findings(project, kind)
    assert len(found) == 1, found
    return found[0]


def obey(project: Project, *found: dict[str, Any]) -> None:
    """Give the commands of findings, each once, as they are printed."""
    for command in dict.fromkeys(each["command"] for each in found):
        for piece in command.split(" && "):
            words = shlex.split(piece)
            if words[0] == "promptrial":
                outcome = project.call(*words[1:])
                assert outcome.code == 0, f"{piece}\n{outcome.err}"
            else:
                subprocess.run(piece, shell=True, cwd=project.root, check=True)  # noqa: S602 - as a user would
