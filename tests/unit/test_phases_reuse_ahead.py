"""What a plan says of answers that will be taken over: which requests, and what they would cost."""

from __future__ import annotations

from typing import Any

import pytest

from promptrial.design.plan import select_phases
from promptrial.engine.opening import RunRequest
from promptrial.engine.previewing import preview
from promptrial.engine.session import Invocation
from promptrial.errors import UsageError
from promptrial.phases.quoted import Quote, Requests
from promptrial.runtime.clock import FakeClock
from tests.support.project import Project

INVOCATION = Invocation(env={}, clock=FakeClock(), say=lambda _text: None)


def quote_of(project: Project, *reuse: str, **overrides: Any) -> Quote:
    request = RunRequest(
        project.run_root().parent,
        "new",
        config=project.config,
        overrides={(key,): value for key, value in overrides.items()},
        plan_only=True,
        rebuild=True,
        reuse=reuse,
    )
    found = preview(request, select_phases(None, None, None), INVOCATION, quotes=True)
    assert found.quote is not None, found.unquoted
    return found.quote


def test_the_plan_of_a_larger_sample_asks_only_new_items_and_states_the_saving(project: Project) -> None:
    assert project.run("--limit_items", "3", "--to_step", "poll", run_id="old").code == 0
    whole, grown = quote_of(project, limit_items=5), quote_of(project, "old", limit_items=5)
    assert grown.requests == Requests(new=2 * 4, reused=2 * 6)
    assert whole.usd is not None
    assert grown.usd is not None
    assert grown.saved_usd == pytest.approx(whole.usd.expected - grown.usd.expected)
    assert whole.saved_usd == 0


def test_after_reuse_the_plan_counts_the_answers_and_states_no_further_saving(project: Project) -> None:
    assert project.run("--limit_items", "3", "--to_step", "poll", run_id="old").code == 0
    flags = ("--reuse", "old", "--limit_items", "5")
    assert project.run(*flags, "--to_step", "build", run_id="new").code == 0
    before = quote_of(project, limit_items=5)
    assert before.requests == Requests(new=8, reused=12)
    assert project.run(*flags, "--resume", "--to_step", "poll", run_id="new").code == 0
    after = quote_of(project, limit_items=5)
    assert after.requests == Requests(answered=8, reused=12)
    assert after.saved_usd == 0


def test_an_edited_prompt_asks_its_arm_again_and_another_model_asks_everything(project: Project) -> None:
    assert project.run("--limit_items", "2", "--to_step", "poll", run_id="old").code == 0
    (project.config.parent / "treatment.txt").write_text("Be brief.")
    found = quote_of(project, "old", limit_items=2)
    assert [arm.requests for arm in found.arms] == [Requests(reused=4), Requests(new=4)]
    project.write_config({"models": {"m1": {"id": "vendor/model-2"}}})
    assert quote_of(project, "old", limit_items=2).requests == Requests(new=8)


def test_a_plan_refuses_a_run_that_does_not_exist(project: Project) -> None:
    with pytest.raises(UsageError, match="no run of this name"):
        quote_of(project, "old")
