"""The effective configuration: what is written into a run, its hash, and the difference between two."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptrial.config.effective import canonical_json, config_hash, difference, to_yaml
from promptrial.config.loading import load_config
from promptrial.design.trials import trials_of
from tests.support.configs import base, loaded, tree_of, write

VALUE = "sk-very-secret-1"


def read_back(folder: Path, tree: dict[str, Any], env: dict[str, str] | None = None) -> dict[str, Any]:
    """Write an effective configuration as a run does and read it like any other, in a folder without prompt files."""
    folder.mkdir()
    path = folder / "effective_config.yaml"
    path.write_bytes(to_yaml(tree))
    return tree_of(load_config(path, env or {}))


RICH: dict[str, Any] = {
    "question": "Was ist's: “wahr” — или нет? 日本 🜚 \u2028 \x85 end ",
    "temps": [0, 0.7, 0.125, 2],
    "samples_per_item": {0: 1, "0.7": 3, 0.125: 2},
    "stop": ["\n\n", "\t", "# no comment", "- "],
    "scoring": {"extra_refusals": ["yes", "1e3", "null", "~", "=", "<<", "0x1F", "1:30", "2026-01-01", " x ", "é\n"]},
    "limit_items": None,
    "top_p": 1e-05,
    "costs": {"criterion": {"scorer": "em", "at_least": 1e22}},
    "stats": {"alpha": 0.1, "tost_margins": {"em": 1e-7, "f1": 0.30000000000000004}},
    "pricing": {
        "embedded": {"batch_discount": 1, "models": {"m1": {"input_per_million": 0.1, "output_per_million": 2.5}}}
    },
    "datasets": {"d": {"format": "squad_v2", "hub": {"repo": "rajpurkar/squad_v2", "revision": "0123456"}, "size": 5}},
    "trials": [{"model": "m1", "prompt_set": "main", "temps": [0.7], "max_new_tokens": {"open_book": 9}}],
}  # fmt: skip


def test_the_effective_configuration_reads_back_to_the_same_values_and_hash(tmp_path: Path) -> None:
    tree = tree_of(loaded(tmp_path, RICH))
    again = read_back(tmp_path / "run", tree)
    assert again == tree
    assert config_hash(again) == config_hash(tree)


def test_the_yaml_reads_back_with_any_yaml_reader(tmp_path: Path) -> None:
    tree = tree_of(loaded(tmp_path, RICH))
    assert yaml.safe_load(to_yaml(tree)) == json.loads(canonical_json(tree)) == tree


@pytest.mark.parametrize(
    "text", ["Say ${HOME} and ${X}.", "a: b\n- c\n", "  indented\n\n\nlines ", "%s {x} 'q' \"d\" \\n", "é \u2028"]
)
def test_a_prompt_text_reads_back_unchanged(tmp_path: Path, text: str) -> None:
    tree = tree_of(loaded(tmp_path, prompts={"treatment.txt": text}))
    assert tree["prompt_sets"]["main"]["treatment"]["text"] == text.rstrip("\n")
    assert read_back(tmp_path / "run", tree) == tree


def test_a_value_from_the_environment_is_used_and_never_written(tmp_path: Path) -> None:
    (tmp_path / f"{VALUE}.txt").write_text("Secretly good.\n")
    (tmp_path / VALUE).mkdir()
    changes = {
        "question": "is it ${WORD}?",
        "models": {"m1": {"id": "x-${WORD}"}, "m2": {"id": "y", "path": "${WORD}"}},
        "prompt_sets": {"main": {"control": {"path": "${WORD}.txt"}, "treatment": "${WORD}.txt"}},
        "stop": ["a", "${WORD}"],
        "seed": "${SEED}",
        "samples_per_item": {"0.0": "${SEED}"},
        "scoring": {"extra_refusals": ["${WORD}"]},
    }
    env = {"WORD": VALUE, "SEED": "8675309"}
    config = loaded(tmp_path, changes, env)
    assert config.experiment.stop == ("a", VALUE)
    tree = tree_of(config)
    for text in (json.dumps(tree), to_yaml(tree).decode()):
        assert VALUE not in text
        assert "8675309" not in text
    assert tree["question"] == "is it ${WORD}?"
    assert tree["models"]["m2"]["path"] == "${WORD}"
    assert tree["stop"] == ["a", "${WORD}"]
    assert read_back(tmp_path / "run", tree, env) == tree


def test_a_prompt_whose_path_comes_from_the_environment_keeps_its_text(tmp_path: Path) -> None:
    changes = {"prompt_sets": {"main": {"control": "${WHICH}", "treatment": "treatment.txt"}}}
    before = tree_of(loaded(tmp_path, changes, {"WHICH": "control.txt"}))
    control = before["prompt_sets"]["main"]["control"]
    assert (control["path"], control["text"]) == ("${WHICH}", "You are careful.")
    after = tree_of(loaded(tmp_path, changes, {"WHICH": "control.txt"}, prompts={"control.txt": "Changed."}))
    assert config_hash(after) != config_hash(before)


def test_a_placeholder_replaced_by_a_flag_is_not_recorded(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"seed": "${UNSET}"}, overrides={("seed",): 3})
    assert tree_of(config)["seed"] == 3


def test_placeholders_of_unused_entries_are_left_out(tmp_path: Path) -> None:
    changes = {
        "models": {"m1": {"id": "x"}, "m2": {"id": "${WORD}"}},
        "prompt_sets": base()["prompt_sets"] | {"other": {"control": "${P}", "treatment": "${P}"}},
        "sweep": {"models": ["m1"], "prompt_sets": ["main"]},
    }
    tree = tree_of(loaded(tmp_path, changes, {"WORD": VALUE, "P": "unused.txt"}))
    assert list(tree["models"]) == ["m1"]
    assert list(tree["prompt_sets"]) == ["main"]
    assert read_back(tmp_path / "run", tree) == tree


def test_a_sweep_beside_explicit_trials_can_name_unused_entries(tmp_path: Path) -> None:
    changes = {
        "models": {"m1": {"id": "x"}, "m2": {"id": "y"}},
        "sweep": {"models": ["m2"]},
        "trials": [{"model": "m1", "prompt_set": "main"}],
    }
    tree = tree_of(loaded(tmp_path, changes))
    assert list(tree["models"]) == ["m1"]
    assert read_back(tmp_path / "run", tree) == tree


def test_a_newer_key_with_its_default_does_not_change_the_hash(tmp_path: Path) -> None:
    before, after = tree_of(loaded(tmp_path)), tree_of(loaded(tmp_path, {"stats": {"missing": "exclude"}}))
    assert "missing" not in before["stats"]
    assert config_hash(before) == config_hash(after)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"scoring": {"unsupported": {"strategy": "exact"}}}, 'scoring.unsupported.strategy: "overlap" -> "exact"'),
        ({"scoring": {"extra_refusals": ["Pass."]}}, 'scoring.extra_refusals: [] -> ["Pass."]'),
        ({"stats": {"alpha": 0.01}}, "stats.alpha: 0.05 -> 0.01"),
        ({"stats": {"missing": "failure"}}, 'stats.missing: missing -> "failure"'),
        ({"stats": {"tost_margins": {"em": 0.05}}}, "stats.tost_margins.em: missing -> 0.05"),
        ({"seed": 1}, "seed: 20260101 -> 1"),
        ({"top_p": 0.5}, "top_p: 1.0 -> 0.5"),
        ({"temps": [0.0, 0.7]}, "temps: [0.0] -> [0.0, 0.7]"),
        ({"stop": ["\n"]}, 'stop: [] -> ["\\n"]'),
        ({"limit_items": 3}, "limit_items: null -> 3"),
        ({"max_new_tokens": {"open_book": 5}}, "max_new_tokens.open_book: 64 -> 5"),
        ({"models": {"m1": {"id": "vendor/model-2"}}}, 'models.m1.id: "vendor/model-1" -> "vendor/model-2"'),
        ({"datasets": {"questions": {"format": "custom", "path": "q.jsonl"}}},
         'datasets.questions.path: "questions.jsonl" -> "q.jsonl"'),
        ({"pricing": {"embedded": {}}}, 'pricing.embedded: missing -> {"batch_discount": 0.0, "models": {}}'),
    ],
)  # fmt: skip
def test_each_setting_changes_the_hash_and_the_difference_names_its_key(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    before, after = tree_of(loaded(tmp_path)), tree_of(loaded(tmp_path, changes))
    assert config_hash(before) != config_hash(after)
    assert list(difference(before, after)) == [key]
    assert list(difference(before, before)) == []


@pytest.mark.parametrize(
    ("file", "at"),
    [
        ("control.txt", "prompt_sets.main.control"),
        ("treatment.txt", "prompt_sets.main.treatment"),
        ("open.txt", "task_instructions.open_book"),
        ("closed.txt", "task_instructions.closed_book"),
    ],
)
def test_a_changed_prompt_text_changes_the_hash_and_is_named(tmp_path: Path, file: str, at: str) -> None:
    before = tree_of(loaded(tmp_path))
    placeholders = "{question} {context}" if file == "open.txt" else "{question}"
    after = tree_of(loaded(tmp_path, prompts={file: f"Changed. {placeholders}"}))
    assert config_hash(before) != config_hash(after)
    assert [line.split(":")[0] for line in difference(before, after)] == [f"{at}.text"]


def test_the_order_of_keys_comments_and_spelled_out_defaults_do_not_change_the_hash(tmp_path: Path) -> None:
    before = tree_of(loaded(tmp_path))
    values = base() | {
        "seed": 20260101,
        "stats": {"confidence": 0.95},
        "temps": [0],
        "top_p": 1,
        "samples_per_item": "1",
    }
    text = "# a comment\n" + yaml.safe_dump(dict(reversed(values.items())), sort_keys=False)
    after = tree_of(load_config(write(tmp_path, text), {}))
    assert config_hash(after) == config_hash(before)


def test_a_prompt_set_and_a_model_that_no_trial_uses_do_not_change_the_hash(tmp_path: Path) -> None:
    sweep = {"sweep": {"models": ["m1"], "prompt_sets": ["main"]}}
    more = {
        "models": {"m0": {"id": "z"}, **base()["models"]},
        "prompt_sets": {"a": {"control": "control.txt", "treatment": "unused.txt"}, **base()["prompt_sets"]},
    }
    plain = config_hash(tree_of(loaded(tmp_path, sweep)))
    assert config_hash(tree_of(loaded(tmp_path, sweep | more))) == plain
    assert config_hash(tree_of(loaded(tmp_path, sweep | more, prompts={"unused.txt": "Edited."}))) == plain


def test_the_same_configuration_in_another_folder_has_the_same_hash(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert config_hash(tree_of(loaded(tmp_path / "a"))) == config_hash(tree_of(loaded(tmp_path / "b")))


def test_equal_values_have_the_same_canonical_json() -> None:
    assert (
        canonical_json({"b": [1.0, None, "é"], "a": {"d": 1, "c": 2}})
        == '{"a":{"c":2,"d":1},"b":[1.0,null,"é"]}'.encode()
    )


def test_a_difference_distinguishes_null_from_missing_and_1_from_1_0() -> None:
    assert list(difference({"a": None}, {})) == ["a: null -> missing"]
    assert list(difference({}, {"a": {"b": None}})) == ['a: missing -> {"b": null}']
    assert list(difference({"a": {"n": 1}}, {"a": {"n": 1.0}})) == ["a.n: 1 -> 1.0"]
    assert list(difference({"a": {"n": 1}}, {"a": 5})) == ['a: {"n": 1} -> 5']


def test_a_difference_between_long_texts_shows_where_they_differ() -> None:
    before = "word " * 100 + "never guess.\n" + "word " * 100
    (line,) = difference({"text": before, "sha256": "1"}, {"text": before.replace("never", "always"), "sha256": "2"})
    assert line.startswith("text: differs at character 501: ...")
    assert " never guess.\\nword " in line
    assert "... -> ..." in line
    assert " always guess.\\nword " in line
    assert len(line) < 250


def test_a_difference_at_the_end_of_a_long_text_is_shown_too() -> None:
    (line,) = difference("x" * 500, "x" * 500 + " And be brief.")
    assert line.startswith(": differs at character 501: ...x")
    assert line.endswith("x And be brief.")


def test_a_difference_shortens_long_lists_and_names_a_lone_digest() -> None:
    (line,) = difference({"stop": ["x" * 500]}, {"stop": []})
    assert len(line) < 120
    assert line.endswith("... -> []")
    assert list(difference({"sha256": "1"}, {"sha256": "2"})) == ['sha256: "1" -> "2"']


def test_the_folder_of_the_runs_is_not_part_of_the_hash(tmp_path: Path) -> None:
    plain = tree_of(loaded(tmp_path))
    moved = tree_of(loaded(tmp_path, {"paths": {"experiments_dir": "${HERE}", "cache_dir": "/c"}}, {"HERE": "x"}))
    assert moved == plain
    assert "paths" not in plain


def test_prices_of_models_that_no_trial_uses_are_left_out(tmp_path: Path) -> None:
    price = {"input_per_million": 1.0, "output_per_million": 2.0}
    changes = {
        "models": {"m1": {"id": "x"}, "m2": {"id": "y"}},
        "sweep": {"models": ["m1"]},
        "pricing": {"embedded": {"models": {"x": price, "m2": price}}},
    }
    tree = tree_of(loaded(tmp_path, changes))
    assert list(tree["pricing"]["embedded"]["models"]) == ["x"]
    assert read_back(tmp_path / "run", tree) == tree


def test_a_flag_for_temperatures_wins_over_those_of_explicit_trials(tmp_path: Path) -> None:
    changes = {
        "temps": [0.2],
        "trials": [{"model": "m1", "prompt_set": "main", "temps": [0.7]}],
        "samples_per_item": {0.7: 3, 0.2: 1},
    }
    config = loaded(tmp_path, changes, overrides={("temps",): [0.2, 0.5]})
    assert [trial.temps for trial in trials_of(config.experiment)] == [(0.2, 0.5)]
    tree = tree_of(config)
    assert tree["samples_per_item"] == {"0.2": 1}
    assert read_back(tmp_path / "run", tree) == tree
