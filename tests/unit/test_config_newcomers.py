"""Messages about mistakes of new users in a configuration."""

from pathlib import Path
from typing import Any

import pytest

from promptrial.config import near_keys
from promptrial.config.arms import ArmConfig, PromptSetConfig
from promptrial.config.datasets import ColumnsConfig, DatasetConfig
from promptrial.config.loading import load_config
from promptrial.config.models import ModelConfig
from promptrial.config.providers import ProviderConfig
from promptrial.config.reading import read_named
from promptrial.config.schema import ExperimentConfig
from promptrial.config.tree import parse
from promptrial.errors import ConfigError
from tests.support.configs import base, complaint, write

EXPECTED = "expected keys and values; given: "
ONE_FILE = "expected one file: give each a name of its own"
SET = {"control": "control.txt", "treatment": "treatment.txt"}


@pytest.mark.parametrize(
    ("changes", "key", "meant"),
    [
        ({"prompts": SET}, "prompts", "'prompt_sets'"),
        ({"questions": "q.csv"}, "questions", "'datasets'"),
        ({"dataset": "q.csv"}, "dataset", "'datasets'"),
        ({"model": "gpt"}, "model", "'models'"),
        ({"temperature": 0.7}, "temperature", "'temps'"),
        ({"max-tokens": 5}, "max-tokens", "'max_new_tokens'"),
        ({"Metrics": []}, "Metrics", "'scorers'"),
        ({"epochs": 3}, "epochs", "'samples_per_item'"),
        ({"alpha": 0.01}, "alpha", "'alpha' in 'stats'"),
        ({"experiments_dir": "x"}, "experiments_dir", "'experiments_dir' in 'paths'"),
        ({"datasets": {"q": {"file": "q.csv"}}}, "datasets.q.file", "'path'"),
        ({"datasets": {"q": {"path": "q.csv", "limit": 3}}}, "datasets.q.limit", "'size'"),
        ({"datasets": {"q": {"path": "q.csv", "columns": {"target": "a"}}}}, "datasets.q.columns.target", "'answers'"),
        ({"models": {"m1": {"name": "x"}}}, "models.m1.name", "'id'"),
        ({"prompt_sets": {"main": SET | {"baseline": "x"}}}, "prompt_sets.main.baseline", "'control'"),
        ({"prompt_sets": {"main": SET | {"control": {"system": "Be brief."}}}},
         "prompt_sets.main.control.system", "'text'"),
    ],
)  # fmt: skip
def test_a_key_of_another_tool_or_section_is_answered_with_the_intended_key(
    tmp_path: Path, changes: dict[str, Any], key: str, meant: str
) -> None:
    assert f"{key}: unknown key; did you mean {meant}?" in complaint(tmp_path, base() | changes)


def test_every_suggested_key_exists() -> None:
    found = (DatasetConfig, ModelConfig, PromptSetConfig, ArmConfig, ColumnsConfig, ProviderConfig)
    sections = {each.__name__: each for each in found}
    for name, words in near_keys._OTHER_WORDS.items():
        section = sections.get(name, ExperimentConfig)
        known = {*section.model_fields, *section.also_takes}
        assert set(words.values()) <= known, name
        assert not words.keys() & known, name


def test_the_suggested_examples_form_a_configuration_that_loads(tmp_path: Path) -> None:
    text = "\n".join(near_keys._EXAMPLES.values())
    assert load_config(write(tmp_path, text), {}).experiment.models["small"].id == "smollm2-135m-instruct"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"datasets": "q.csv"}, f"datasets: {EXPECTED}'q.csv'; for example `datasets: {{mine: questions.csv}}`"),
        ({"datasets": ["q.csv"]}, f"datasets: {EXPECTED}a list; for example `datasets: {{mine: questions.csv}}`"),
        ({"datasets": {"mine": ["a.csv", "b.csv"]}},
         f"datasets.mine: {ONE_FILE}, as in `datasets: {{first: a.csv, second: b.csv}}`; given: a list"),
        ({"models": "small"}, f"models: {EXPECTED}'small'; for example `models: {{small: smollm2-135m-instruct}}`"),
        ({"prompt_sets": SET}, f"prompt_sets.control: {EXPECTED}'control.txt'; for example `prompt_sets: {{default: "),
    ],
)  # fmt: skip
def test_a_section_without_the_names_of_its_entries_shows_how_it_is_written(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    assert sentence in complaint(tmp_path, base() | changes)


def test_a_missing_section_shows_how_it_is_written(tmp_path: Path) -> None:
    config = base()
    del config["datasets"]
    said = complaint(tmp_path, config)
    assert "datasets: this key is required; for example `datasets: {mine: questions.csv}`" in said


@pytest.mark.parametrize("text", ["Be brief.", "You are careful.\nSay what you know.", "word " * 200])
def test_a_prompt_text_given_as_a_path_is_distinguished_from_a_missing_file(tmp_path: Path, text: str) -> None:
    said = complaint(tmp_path, base() | {"prompt_sets": {"main": SET | {"control": text}}})
    assert "prompt_sets.main.control: there is no file" in said
    assert "if this is the text itself, write {text: ...}" in said
    assert len(said) < 300


@pytest.mark.parametrize("path", [r"C:\prompts\control.txt", r"prompts\control.txt", "c:/prompts/control.txt"])
def test_a_windows_path_is_named_as_such(tmp_path: Path, path: str) -> None:
    said = complaint(tmp_path, base() | {"prompt_sets": {"main": SET | {"control": path}}})
    assert "write / between folders, and a path relative to the folder of this file" in said


def test_a_backslash_in_double_quotes_says_how_to_write_a_path(tmp_path: Path) -> None:
    text = 'models: {small: x}\ndatasets: {mine: "data\\questions.csv"}\n'
    assert "write a path with / between folders, or in single quotes" in complaint(tmp_path, text)


def test_all_unreadable_prompts_are_named_together(tmp_path: Path) -> None:
    config = base() | {"prompt_sets": {"main": {"control": "a.txt", "treatment": "b.txt"}}}
    said = complaint(tmp_path, config | {"task_instructions": {"closed_book": "c.txt"}}).splitlines()
    assert [line.split(": ")[1] for line in said] == [
        "prompt_sets.main.control",
        "prompt_sets.main.treatment",
        "task_instructions.closed_book",
    ]
    assert write(tmp_path, config).exists()


def test_a_missing_configuration_is_reported_with_similarly_named_files(tmp_path: Path) -> None:
    (tmp_path / "eval_config.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"did you mean 'eval_config\.yaml'\?"):
        read_named(tmp_path / "eval_confg.yaml", "configuration")
    with pytest.raises(ConfigError, match=r"configuration file not found\n") as caught:
        read_named(tmp_path / "nowhere" / "eval_confg.yaml", "configuration")
    assert caught.value.hint


def test_a_folder_given_as_a_configuration_is_reported_with_its_content(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it is a folder, which holds no file") as caught:
        read_named(tmp_path, "configuration")
    assert caught.value.hint == "name the file"
    for name in "abcdefg":
        (tmp_path / f"{name}.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"which holds a\.yaml, b\.yaml, c\.yaml, d\.yaml, e\.yaml, \.\.\.\n"):
        read_named(tmp_path, "configuration")


@pytest.mark.parametrize("text", ["a: 1\nb:\n\tc: 2\n", "a: 1\nb:\n  \tc: 2\n"])
def test_a_tab_in_front_of_a_key_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="line 3 is indented with a tab; use spaces"):
        parse(tmp_path / "c.yaml", text)
