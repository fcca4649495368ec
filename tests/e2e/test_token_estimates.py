"""What a plan says of tokens before and after a pilot, against what an emulator then bills by SmolLM2's tokenizer.

Slow: ``make test-slow``. It needs the embedded model, and for two of the sets the question files beside the project.
The table that it makes is the one of ``docs/tokens.md``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
import pytest

from promptrial.costs.bands import Band
from promptrial.costs.tokens import Estimated
from promptrial.design.plan import select_phases
from promptrial.engine import providers
from promptrial.engine.opening import RunRequest
from promptrial.engine.previewing import preview
from promptrial.engine.session import Invocation
from promptrial.phases.quoted import Quote
from promptrial.runtime.clock import SystemClock
from tests.support.hosted_run import QUICK
from tests.support.project import Project
from tests.support.questions import real_file
from tests.support.token_proof import Proof, table
from tests.support.token_texts import LANGUAGES, made_up

PAGE: Final = Path(__file__).parents[2] / "docs" / "tokens.md"
PILOT: Final = 40
MADE_UP: Final = 400
MOST: Final = 1500
SETS: Final[Mapping[str, str]] = {
    "NQ-open": "nq_open", "SQuAD 2.0": "squad_v2", "German": "", "Russian": "", "Chinese": "",
}  # fmt: skip
"""Of which kind of file each set is: a format whose real file is used, or a language of which questions are made up."""

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def by_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the emulator of dry runs bill by the tokenizer."""
    monkeypatch.setattr(providers, "_DRY_SETTINGS", replace(providers._DRY_SETTINGS, tokenizer="smollm2"))


def project_of(root: Path, name: str) -> Project:
    project = Project.make(root)
    config = root / "config"
    if SETS[name]:
        dataset = {"format": SETS[name], "path": str(real_file(SETS[name]))}
    else:
        rows = [
            {"id": each.id, "question": each.question, "context": each.context, "answers": list(each.answers)}
            for each in made_up(name, MADE_UP, passages=True)
        ]
        (config / "control.txt").write_text(LANGUAGES[name].prompt)
        (config / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        dataset = {"format": "custom", "path": "set.jsonl"}
    model = {"m1": {"id": "accounts/fireworks/models/small"}}
    project.write_config({"provider": "fireworks", "models": model, "pricing": None, "execution": QUICK,
                          "datasets": {"set": dataset}, "max_new_tokens": 64})  # fmt: skip
    return project


def asked(project: Project, limit: int, *flags: str) -> None:
    outcome = project.run("--dry_run", "--to_step", "parse", "--limit_items", str(limit), *flags)
    assert outcome.code == 0, outcome.err


def quoted(project: Project) -> Quote:
    """Return what a plan of all questions says now."""
    request = RunRequest(
        project.root / "experiments", "r", config=project.config, overrides={("limit_items",): MOST},
        plan_only=True, rebuild=True, dry_run=True,
    )  # fmt: skip
    invocation = Invocation(os.environ, SystemClock(), lambda _text: None)
    planned = preview(request, select_phases(None, None, None), invocation, quotes=True)
    assert planned.quote is not None, planned.unquoted
    return planned.quote


def billed(project: Project) -> tuple[int, int, int]:
    """Return how many requests were answered so far, and what was billed for them."""
    rows = pq.read_table(project.trial_folder() / "results" / "predictions.parquet").to_pylist()
    return len(rows), sum(row["prompt_tokens"] for row in rows), sum(row["completion_tokens"] for row in rows)


def estimates(quote: Quote, source: str, paid: tuple[int, int] = (0, 0)) -> tuple[Band, Band]:
    """Return what a quote expects of input and output in all, with what is paid already."""
    found = []
    for kind, known in zip(("input_tokens", "output_tokens"), paid, strict=True):
        total = Band.exactly(known)
        for arm in quote.arms:
            each: Estimated | None = getattr(arm, kind)
            assert each is not None
            assert each.source == source
            total += each.tokens
        found.append(total)
    return found[0], found[1]


def proved(root: Path, name: str) -> Proof:
    """Ask 40 questions of a set, then the others; return what was estimated and what was billed."""
    project = project_of(root, name)
    before = estimates(quoted(project), "default")
    asked(project, PILOT)
    requests, *paid = billed(project)
    assert requests == 2 * PILOT
    after = estimates(quoted(project), "answers", (paid[0], paid[1]))
    asked(project, MOST, "--resume")
    requests, tokens_in, tokens_out = billed(project)
    assert requests > 5 * PILOT
    return Proof(name, requests, tokens_in, tokens_out, before, after)


@pytest.mark.parametrize("name", SETS)
def test_token_estimates_hold_and_equal_those_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    proof = proved(tmp_path, name)
    shown = table([proof])
    assert proof.input in proof.before[0], shown
    assert proof.output in proof.before[1], shown
    assert abs(proof.input_error) <= 0.05, shown
    assert abs(proof.total_error) <= 0.05, shown
    assert shown[-1] in PAGE.read_text(encoding="utf-8"), shown
