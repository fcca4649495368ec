"""Which trials of a run share a control: those whose control is the same requests, asked once."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from promptrial.model import Prompt, Trial
from promptrial.phases.one_control import control_groups, of_one_control, trial_names
from tests.support.values import make_trial


def trials() -> list[Trial]:
    first = make_trial(slug="one")
    return [first, replace(first, slug="two", prompt_set="other")]


def spec_of(*, shared: bool, looked_at: bool) -> Any:
    config = SimpleNamespace(
        execution=SimpleNamespace(share_identical_arms=shared), stopping=SimpleNamespace(on=looked_at)
    )
    return SimpleNamespace(config=config, trials=trials())


def test_trials_with_the_same_control_are_one_group() -> None:
    assert [[trial.slug for trial in group] for group in control_groups(trials())] == [["one", "two"]]


def test_trials_are_called_after_their_prompt_sets_unless_several_have_the_same() -> None:
    assert trial_names(trials()) == {"one": "main", "two": "other"}
    alike = [*trials(), replace(trials()[1], slug="three")]
    assert trial_names(alike) == {"one": "one", "two": "two", "three": "three"}


@pytest.mark.parametrize(
    "changes",
    [
        {"temps": (0.9,)},
        {"top_p": 0.5},
        {"samples_per_item": {"0.0": 9}},
        {"conditions": ("treatment",)},
        {"conditions": ("control",)},
    ],
)
def test_a_control_asked_with_other_options_is_another_control(changes: dict[str, Any]) -> None:
    first, second = trials()
    assert [*control_groups([first, replace(second, **changes)])] == []


def test_another_prompt_of_the_control_is_another_control() -> None:
    first, second = trials()
    arms = tuple(replace(arm, prompt=Prompt("Else.", "0" * 64)) for arm in second.arms)
    assert [*control_groups([first, replace(second, arms=arms)])] == []


def test_controls_that_each_trial_asks_itself_are_not_shared() -> None:
    assert of_one_control(spec_of(shared=False, looked_at=False), []) == []


def test_trials_that_may_stop_early_are_not_grouped() -> None:
    assert of_one_control(spec_of(shared=True, looked_at=True), []) == []
    with pytest.raises(KeyError):  # which have no results here
        of_one_control(spec_of(shared=True, looked_at=False), [])
