"""How a configuration gives arms: one treatment or several, by path or inline, with their own templates and models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.effective import config_hash, to_yaml
from promptrial.config.loading import load_config
from promptrial.errors import ConfigError
from tests.support.configs import base, loaded, tree_of

SEVERAL = {"control": "control.txt", "treatments": {"short": "unused.txt", "long": "treatment.txt"}}


def of_set(folder: Path, prompt_set: dict[str, Any], **others: Any) -> Any:
    """Return the loaded prompt set ``main``."""
    return loaded(folder, {"prompt_sets": {"main": prompt_set}} | others).experiment.prompt_sets["main"]


def refused(folder: Path, prompt_set: dict[str, Any], **others: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        of_set(folder, prompt_set, **others)
    return caught.value.message


def test_control_comes_first_and_the_treatments_follow_in_the_order_of_the_file(tmp_path: Path) -> None:
    arms = of_set(tmp_path, {"treatments": SEVERAL["treatments"], "control": "control.txt"}).arms
    assert [(name, arm.prompt.text) for name, arm in arms.items()] == [
        ("control", "You are careful."), ("short", "Be brief."), ("long", "Be accurate."),
    ]  # fmt: skip


def test_the_arm_given_as_treatment_is_named_treatment(tmp_path: Path) -> None:
    assert list(of_set(tmp_path, base()["prompt_sets"]["main"]).arms) == ["control", "treatment"]


@pytest.mark.parametrize(
    ("prompt_set", "said"),
    [
        ({"control": "control.txt"}, "prompt_sets.main: give exactly one of `treatment` and `treatments`"),
        (SEVERAL | {"treatment": "treatment.txt"}, "give exactly one of `treatment` and `treatments`"),
        ({"control": "control.txt", "treatments": {}}, "prompt_sets.main.treatments: needs 1 or more entries"),
        ({"control": "control.txt", "treatments": {"Big": "unused.txt"}}, "'Big' is not the name of an arm"),
        ({"control": "control.txt", "treatments": {"control": "unused.txt"}},
            "'control' is the name of the control"),
        ({"control": "control.txt", "treatments": {"arm_ajw": "unused.txt", "arm_bgc": "control.txt"}},
         "the arms 'arm_ajw' and 'arm_bgc' have the same code in request ids: rename one of them"),
        ({"control": {}, "treatment": "unused.txt"}, "prompt_sets.main.control: give the `path` of a file or a `text`"),
        ({"control": {"prompt": "a", "path": "b"}, "treatment": "unused.txt"},
         "prompt_sets.main.control: give `prompt`, or `path` or `text` with the arm's other keys, not both"),
        ({"control": {"path": "control.txt", "model": "m9"}, "treatment": "unused.txt"},
         "prompt_sets.main.control.model: unknown model 'm9'"),
        ({"control": "control.txt", "treatments": {"a": {"prompt": "unused.txt", "model": "m9"}}},
         "prompt_sets.main.treatments.a.model: unknown model 'm9'"),
        ({"control": "control.txt", "treatments": {"a": {"prompt": "unused.txt", "modell": "m1"}}},
         "prompt_sets.main.treatments.a.modell: unknown key; did you mean 'model'?"),
        ({"control": "control.txt", "treatments": {"a": {"prompt": "no.txt"}}},
         "prompt_sets.main.treatments.a: "),
        ({"control": "control.txt", "treatments": {"a": {"text": "  "}}},
         "prompt_sets.main.treatments.a: the text given here is empty"),
        ({"control": "control.txt", "treatments": {
            "a": {"prompt": "unused.txt", "task_instructions": {"open_book": "closed.txt", "closed_book": "closed.txt"}}
        }}, "prompt_sets.main.treatments.a.task_instructions.open_book: closed.txt must hold"),
    ],
)  # fmt: skip
def test_an_invalid_set_of_arms_is_refused_by_key(tmp_path: Path, prompt_set: dict[str, Any], said: str) -> None:
    assert said in refused(tmp_path, prompt_set)


def test_an_inline_prompt_can_mention_variables(tmp_path: Path) -> None:
    inline = of_set(
        tmp_path, {"control": {"text": "You are careful.\n"}, "treatments": {"text": {"text": "Say ${X}."}}}
    )
    by_path = of_set(tmp_path, SEVERAL)
    assert inline.arms["control"].prompt.sha256 == by_path.arms["control"].prompt.sha256
    assert inline.arms["text"].prompt.text == "Say ${X}."


def test_an_arm_can_have_its_own_model_and_templates(tmp_path: Path) -> None:
    own = {"open_book": {"text": "{context} {question}"}, "closed_book": "closed.txt"}
    arms = of_set(
        tmp_path,
        {"control": "control.txt", "treatments": {"big": {"prompt": "control.txt", "model": "m2"},
                                                  "asked": {"path": "control.txt", "task_instructions": own}}},
        models={"m1": {"id": "x"}, "m2": {"id": "y"}},
    ).arms  # fmt: skip
    assert arms["big"].model == "m2"
    assert arms["big"].task_instructions is None
    assert arms["asked"].task_instructions.open_book.text == "{context} {question}"
    assert arms["asked"].task_instructions.closed_book.text == "Question: {question}"


def test_names_of_arms_to_run_are_checked_against_the_prompt_sets(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"prompt_sets": {"main": SEVERAL}, "conditions": ["short"]}).experiment.conditions == (
        "short",
    )
    assert "unknown arm 'treatment'; known: control, short, long" in refused(
        tmp_path, SEVERAL, conditions=["control", "treatment"]
    )


def test_an_order_of_arms_needs_three_arms_of_one_prompt_set(tmp_path: Path) -> None:
    arms = {"control": {"text": "A"}, "treatments": {"low": {"text": "B"}, "high": {"text": "C"}}}
    sets = {"prompt_sets": {"main": arms}}
    given = loaded(tmp_path, sets | {"stats": {"trend": ["control", "low", "high"]}}).experiment.stats
    assert given.trend == ("control", "low", "high")
    assert "trend" in given.model_dump(mode="json")
    assert not {"trend", "pooled"} & {*loaded(tmp_path, sets).experiment.stats.model_dump(mode="json")}
    for order, said in (
        (["control", "low"], "an order needs 3 arms or more; given: 2"),
        (["control", "low", "low"], "'low' is given twice"),
        (["control", "low", "hihg"], "did you mean 'high'"),
    ):
        assert said in refused(tmp_path, arms, stats={"trend": order})


def test_a_data_set_name_too_long_for_the_code_of_an_arm_is_refused(tmp_path: Path) -> None:
    datasets = {"d" * 20: {"format": "custom", "path": "q.jsonl"}}
    assert of_set(tmp_path, SEVERAL, datasets=datasets)
    longer = {"d_e_" + "f" * 15: {"format": "custom", "path": "q.jsonl"}}  # 21 characters on the wire
    assert of_set(tmp_path, base()["prompt_sets"]["main"], datasets=longer)
    assert "may have at most 20 characters" in refused(tmp_path, SEVERAL, datasets=longer)


# --- what is recorded ------------------------------------------------------------------------------------------------


def test_a_pair_of_arms_is_recorded_as_in_earlier_versions(tmp_path: Path) -> None:
    tree = tree_of(loaded(tmp_path))
    assert tree["conditions"] == ["control", "treatment"]
    assert list(tree["prompt_sets"]["main"]) == ["control", "treatment"]
    assert list(tree["prompt_sets"]["main"]["treatment"]) == ["path", "sha256", "text"]
    assert config_hash(tree) == config_hash(tree_of(loaded(tmp_path, {"conditions": ["control", "treatment"]})))


def test_recorded_arms_read_back_unchanged(tmp_path: Path) -> None:
    own = {"open_book": {"text": "{context} {question}"}, "closed_book": "closed.txt"}
    arms = {
        "a": {"text": "Inline ${X}."},
        "b": {"prompt": "unused.txt", "model": "m2"},
        "c": {"prompt": {"text": "C"}, "task_instructions": own},
    }
    changes = {
        "models": {"m1": {"id": "x"}, "m2": {"id": "y"}, "m3": {"id": "z"}},
        "sweep": {"models": ["m1"]},
        "prompt_sets": {"main": {"control": "control.txt", "treatments": arms}},
    }
    tree = tree_of(loaded(tmp_path, changes))
    assert tree["conditions"] is None
    assert list(tree["models"]) == ["m1", "m2"], "the models of arms are used too"
    (tmp_path / "run").mkdir()
    path = tmp_path / "run" / "effective_config.yaml"
    path.write_bytes(to_yaml(tree))
    assert tree_of(load_config(path, {})) == tree


def test_a_prompt_path_from_the_environment_is_never_recorded(tmp_path: Path) -> None:
    (tmp_path / "sk-secret.txt").write_text("Good.\n")
    arms = {
        "prompt": {"prompt": "${FILE}.txt"},
        "b": {"prompt": {"path": "${FILE}.txt"}},
        "c": "${FILE}.txt",
        "d": {"path": "control.txt", "task_instructions": {"open_book": "${FILE}.open", "closed_book": "closed.txt"}},
    }
    (tmp_path / "sk-secret.open").write_text("{context} {question}\n")
    prompt_sets = {"main": {"control": {"prompt": "${FILE}.txt"}, "treatments": arms}}
    tree = tree_of(loaded(tmp_path, {"prompt_sets": prompt_sets}, {"FILE": "sk-secret"}))
    assert "sk-secret" not in json.dumps(tree)
    recorded = tree["prompt_sets"]["main"]
    assert [recorded["control"]["path"], *(arm["path"] for arm in recorded["treatments"].values())] == [
        *["${FILE}.txt"] * 4, "control.txt",
    ]  # fmt: skip
