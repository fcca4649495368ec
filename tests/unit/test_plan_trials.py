"""From a configuration to trials and parts."""

from pathlib import Path
from typing import Any

import pytest

from promptrial.design.parts import cut_parts
from promptrial.design.trials import models_used, own_of, trials_of
from promptrial.errors import ConfigError
from promptrial.model import Trial
from tests.support.configs import base, loaded
from tests.support.values import make_trial

TWO = {
    "models": {"big": {"id": "vendor/big"}, "small": {"id": "vendor/small", "path": "s.gguf"}},
    "prompt_sets": {name: {"control": "control.txt", "treatment": "treatment.txt"} for name in ("x", "y")},
}


def trials(folder: Path, changes: dict[str, Any]) -> tuple[Trial, ...]:
    return trials_of(loaded(folder, changes).experiment)


def test_without_a_sweep_every_model_runs_with_every_prompt_set_in_file_order(tmp_path: Path) -> None:
    found = [(trial.model.alias, trial.prompt_set) for trial in trials(tmp_path, TWO)]
    assert found == [("big", "x"), ("big", "y"), ("small", "x"), ("small", "y")]


def test_a_sweep_gives_every_combination_in_the_written_order(tmp_path: Path) -> None:
    sweep = {
        "models": ["small"],
        "prompt_sets": ["y", "x"],
        "top_p": [0.9, 1],
        "top_k": [5],
        "max_new_tokens": [{"open_book": 9, "closed_book": 8}],
    }
    assert [trial.slug for trial in trials(tmp_path, TWO | {"sweep": sweep})] == [
        "small-y-tp0.9-tk5-mx9-8",
        "small-y-tp1-tk5-mx9-8",
        "small-x-tp0.9-tk5-mx9-8",
        "small-x-tp1-tk5-mx9-8",
    ]


def test_a_slug_reads_like_the_one_in_the_documentation(tmp_path: Path) -> None:
    changes = {
        "models": {"smollm2-135m": {"id": "smollm2-135m-instruct"}},
        "prompt_sets": {"operational_only": base()["prompt_sets"]["main"]},
    }
    (trial,) = trials(tmp_path, changes)
    assert trial.slug == "smollm2-135m-operational_only-tp1-tk50-mx64-64"


@pytest.mark.parametrize(("path", "weights"), [("w.gguf", "conf/w.gguf"), ("/m/w.gguf", "/m/w.gguf"), (None, None)])
def test_weights_start_from_the_folder_of_the_configuration(
    tmp_path: Path, path: str | None, weights: str | None
) -> None:
    config = loaded(tmp_path, {"models": {"m1": {"id": "vendor/model-1", "path": path}}}).experiment
    here, elsewhere = (trials_of(config, folder=folder)[0] for folder in ("conf", "other"))
    assert here.model.weights == weights
    assert here == elsewhere, "where a configuration stands is no part of what a trial is"


def test_a_trial_contains_everything_that_determines_an_answer(tmp_path: Path) -> None:
    changes = {
        "models": {"m1": {"id": "vendor/model-1", "path": "w.gguf"}},
        "temps": [0.7, 0],
        "samples_per_item": {"0.7": 5},
        "max_new_tokens": {"open_book": 9},
        "top_p": 0.5,
        "top_k": 3,
        "stop": ["\n"],
        "seed": 11,
        "conditions": ["treatment"],
    }
    (trial,) = trials(tmp_path, changes)
    assert (trial.model.id, trial.model.provider, trial.model.path) == ("vendor/model-1", "embedded", "w.gguf")
    assert trial.prompts["control"].text == "You are careful."
    assert trial.prompts["treatment"].text == "Be accurate."
    assert (trial.temps, trial.samples_per_item) == ((0.7, 0.0), {"0.7": 5, "0.0": 1})
    assert trial.max_new_tokens == {"open": 9, "closed": 64}
    assert (trial.top_p, trial.top_k, trial.stop, trial.seed) == (0.5, 3, ("\n",), 11)
    assert trial.conditions == ("treatment",)


def test_a_model_can_have_its_own_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptrial import registry

    monkeypatch.setitem(registry.PROVIDERS, "fake", "x:Y")
    changes = {"models": {"a": {"id": "a"}, "b": {"id": "b", "provider": "embedded"}}, "provider": "fake"}
    assert [trial.model.provider for trial in trials(tmp_path, changes)] == ["fake", "embedded"]


def test_explicit_trials_replace_the_sweep_and_default_to_the_top_level(tmp_path: Path) -> None:
    explicit = [
        {"model": "small", "prompt_set": "y", "temps": [0.7], "top_p": 0.5, "top_k": 1},
        {"model": "small", "prompt_set": "x", "max_new_tokens": {"open_book": 5}},
    ]
    changes = {"trials": explicit, "sweep": {"models": ["big"]}, "temps": [0.25], "samples_per_item": {"0.7": 4}}
    first, second = trials(tmp_path, TWO | changes)
    assert (first.slug, first.temps, first.samples_per_item) == ("small-y-tp0.5-tk1-mx64-64", (0.7,), {"0.7": 4})
    assert (second.slug, second.temps, second.samples_per_item) == ("small-x-tp1-tk50-mx5-64", (0.25,), {"0.25": 1})


def test_two_trials_with_the_same_name_are_refused_with_how_names_are_made(tmp_path: Path) -> None:
    explicit = [{"model": "m1", "prompt_set": "main"}, {"model": "m1", "prompt_set": "main", "temps": [0.7]}]
    with pytest.raises(ConfigError, match=r"m1-main-tp1-tk50-mx64-64.*temps") as caught:
        trials(tmp_path, {"trials": explicit})
    assert caught.value.exit_code == 2


def test_ambiguous_trial_names_are_refused(tmp_path: Path) -> None:
    changes = {
        "models": {"a": {"id": "a"}, "a-b": {"id": "b"}},
        "prompt_sets": {name: base()["prompt_sets"]["main"] for name in ("b-c", "c")},
    }
    with pytest.raises(ConfigError, match="a-b-c-tp1"):
        trials(tmp_path, changes)


def test_nucleus_sizes_that_differ_have_slugs_that_differ(tmp_path: Path) -> None:
    slugs = [trial.slug for trial in trials(tmp_path, {"sweep": {"top_p": [0.12345678, 0.12345679]}})]
    assert slugs == ["m1-main-tp0.12345678-tk50-mx64-64", "m1-main-tp0.12345679-tk50-mx64-64"]


# --- parts ----------------------------------------------------------------------------------------------------------


def spans(n_items: int, trial: Trial | None = None, **how: int | None) -> list[tuple[int, int]]:
    """Return the spans of the control parts at the first temperature."""
    trial = trial or make_trial()
    both = {"parts_per_dataset": None, "lines_per_part": None} | how
    parts = cut_parts(trial, n_items, **both)
    return [(part.start, part.stop) for part in parts if part.condition == "control" and part.temp == trial.temps[0]]


def test_five_items_in_four_parts_are_four_parts() -> None:
    assert spans(5, parts_per_dataset=4) == [(0, 2), (2, 3), (3, 4), (4, 5)]


def test_there_are_no_empty_parts() -> None:
    assert spans(3, parts_per_dataset=10) == [(0, 1), (1, 2), (2, 3)]
    assert spans(0, parts_per_dataset=10) == []
    assert spans(0, lines_per_part=10) == []


def test_lines_count_replicates_and_an_item_is_never_split() -> None:
    three = make_trial(samples_per_item={"0.0": 3})
    assert spans(5, three, lines_per_part=7) == [(0, 2), (2, 4), (4, 5)]
    assert spans(2, three, lines_per_part=2) == [(0, 1), (1, 2)]


def test_ten_thousand_lines_are_the_default() -> None:
    assert spans(20_001) == [(0, 10_000), (10_000, 20_000), (20_000, 20_001)]
    assert spans(10_000, make_trial(samples_per_item={"0.0": 4})) == [(n, n + 2500) for n in range(0, 10_000, 2500)]


def test_parts_are_named_by_temperature_arm_and_number() -> None:
    trial = make_trial(temps=(0.0, 0.7), samples_per_item={"0.0": 1, "0.7": 2})
    parts = cut_parts(trial, 3, parts_per_dataset=2, lines_per_part=None)
    assert [(part.name, part.rows) for part in parts] == [
        ("t0_control_p001", 2), ("t0_treatment_p001", 2), ("t0_control_p002", 1), ("t0_treatment_p002", 1),
        ("t07_control_p001", 4), ("t07_treatment_p001", 4), ("t07_control_p002", 2), ("t07_treatment_p002", 2),
    ]  # fmt: skip


# --- arms -----------------------------------------------------------------------------------------------------------


def test_arms_have_their_own_settings_and_share_the_rest(tmp_path: Path) -> None:
    own = {"open_book": {"text": "{context} {question}"}, "closed_book": {"text": "{question}"}}
    changes = {
        "models": {"m1": {"id": "a"}, "m2": {"id": "b"}, "m3": {"id": "c"}},
        "sweep": {"models": ["m1"]},
        "prompt_sets": {
            "main": {
                "control": "control.txt",
                "treatments": {
                    "big": {"prompt": "control.txt", "model": "m2"},
                    "asked": {"prompt": "control.txt", "task_instructions": own},
                },
            }
        },
    }
    (trial,) = trials(tmp_path, changes)
    assert trial.slug == "m1-main-tp1-tk50-mx64-64"
    assert trial.conditions == ("control", "big", "asked")
    assert [arm.model.id for arm in trial.arms] == ["a", "b", "a"]
    assert [arm.templates.closed_book for arm in trial.arms] == ["Question: {question}"] * 2 + ["{question}"]
    assert [model.alias for model in trial.models] == ["m1", "m2"]
    assert models_used([trial]) == {"m1", "m2"}
    control = trial.arm("control")
    assert own_of(control, trial, control.templates) == {}
    assert own_of(trial.arm("big"), trial, control.templates)["model"]["id"] == "b"


def test_a_trial_runs_its_named_arms_and_is_refused_without_any(tmp_path: Path) -> None:
    prompt_sets = {
        "x": {"control": "control.txt", "treatments": {"a": "unused.txt", "b": "treatment.txt"}},
        "y": {"control": "control.txt", "treatment": "treatment.txt"},
    }
    chosen = trials(tmp_path, {"prompt_sets": prompt_sets, "conditions": ["b", "control"]})
    assert [trial.conditions for trial in chosen] == [("b", "control"), ("control",)]
    with pytest.raises(ConfigError, match="prompt set y has no arm a or b; its arms: control, treatment"):
        trials(tmp_path, {"prompt_sets": prompt_sets, "conditions": ["a", "b"]})


def test_running_arms_that_differ_only_in_name_are_found(tmp_path: Path) -> None:
    own = {"open_book": {"text": "{context} {question}"}, "closed_book": {"text": "{question}"}}
    treatments = {
        "inline": {"text": "You are careful."},
        "big": {"prompt": "control.txt", "model": "m2"},
        "asked": {"prompt": "control.txt", "task_instructions": own},
        "other": "treatment.txt",
    }
    changes: dict[str, Any] = {
        "models": {"m1": {"id": "a"}, "m2": {"id": "b"}},
        "sweep": {"models": ["m1"]},
        "prompt_sets": {"main": {"control": "control.txt", "treatments": treatments}},
    }
    (trial,) = trials(tmp_path, changes)
    assert list(trial.alike()) == [("control", "inline")]
    (trial,) = trials(tmp_path, changes | {"conditions": ["control", "big", "other"]})
    assert list(trial.alike()) == []
