"""Runs of small projects that ended well, each made once in this process and copied for every test that begins so.

What a run on the fake provider makes is decided by the files of its configuration, by its flags (also those of the
environment) and by its id; only its state says where it stands. Tests of how a run is made, or that have changed
something of the program before, make their own.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial import registry
from tests.support import fake_provider

if TYPE_CHECKING:
    from tests.support.project import Outcome, Project

__all__ = ["given_run"]


@dataclass(frozen=True)
class _Kept:
    """The files of a run, where it stood when it was made, how its command ended, and what its provider was asked."""

    files: dict[Path, bytes]
    root: Path
    outcome: Outcome
    calls: Counter[str]


_KEPT: Final[dict[str, _Kept]] = {}


def given_run(project: Project, flags: tuple[str, ...], run_id: str) -> Outcome:
    """Put a run that ended well into a project, and return how it ended: a copy, if the same was made before."""
    assert not {"--reuse", "--config"} & {*flags}, "other files decide too: make this run"
    assert [*fake_provider.FAILING, *fake_provider.BEFORE_ROW] == [], "what the provider meets decides: make this run"
    key, target = _key(project, flags, run_id), project.run_root(run_id)
    kept = _KEPT.get(key)
    if kept is None:
        before = fake_provider.CALLS.copy()
        outcome = project.run(*flags, run_id=run_id)
        assert outcome.code == 0, outcome.err
        files = {path.relative_to(target): path.read_bytes() for path in target.rglob("*") if path.is_file()}
        _KEPT[key] = _Kept(files, project.root, outcome, fake_provider.CALLS - before)
        return outcome
    for name, content in kept.files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    state = target / "run_state.json"
    state.write_text(state.read_text().replace(str(kept.root), str(project.root)))
    fake_provider.CALLS.update(kept.calls)
    return kept.outcome


def _key(project: Project, flags: tuple[str, ...], run_id: str) -> str:
    files = sorted(path for path in (project.root / "config").rglob("*") if path.is_file())
    texts = [(path.relative_to(project.root).as_posix(), path.read_bytes()) for path in files]
    tables = [(name, repr(value)) for name, value in vars(registry).items() if name.isupper()]
    answering = [id(value) for of in (fake_provider, fake_provider.FakeProvider) for value in vars(of).values()]
    named = sorted((name, value) for name, value in os.environ.items() if name.startswith("PROMPTRIAL_"))
    made_of = (texts, flags, named, run_id, tables, answering, fake_provider._ANSWERS)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()
