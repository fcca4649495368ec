"""The resolved configuration for people: every value, and where it comes from."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.config.effective import config_hash
from promptrial.config.loading import load_config
from promptrial.config.provenance import Given, source_of
from promptrial.config.showing import annotated, complete
from promptrial.config.tree import parse
from tests.support.configs import base, loaded, tree_of, write

TEXT = """\
models: {m1: vendor/model-1, m2: {id: "${MODEL}", think_tags: as_answer}}
prompt_sets:
  main:
    control: control.txt
    treatment: {prompt: {path: treatment.txt}}
datasets:
  mine: q.csv
temps: [0.0,
  0.7]
stats:
  alpha: 0.01
scorers:
  em:
"""
FILE = Path("eval.yaml")


def source(at: str, value: object = None, **known: Any) -> str:
    tree, lines = parse(FILE, TEXT)
    beside = {"path": "control.txt"} if "prompt_sets" in at else {}
    return source_of(Given(FILE, tree, lines, **known), tuple(at.split("/")), value, beside)


@pytest.mark.parametrize(
    ("at", "comes_from"),
    [
        ("models/m1/id", "eval.yaml:1"),
        ("models/m1/think_tags", "default"),
        ("models/m2/think_tags", "eval.yaml:1"),
        ("prompt_sets/main/control/path", "eval.yaml:4"),
        ("prompt_sets/main/control/text", "read from control.txt"),
        ("prompt_sets/main/control/sha256", "read from control.txt"),
        ("prompt_sets/main/treatment/path", "eval.yaml:5"),
        ("datasets/mine/path", "eval.yaml:7"),
        ("datasets/mine/format", "default"),
        ("temps", "eval.yaml:8"),
        ("stats/alpha", "eval.yaml:11"),
        ("stats/confidence", "default"),
        ("scorers/em/type", "eval.yaml:13"),
        ("seed", "default"),
    ],
)
def test_a_value_of_the_file_has_its_line_and_every_other_is_a_default(at: str, comes_from: str) -> None:
    assert source(at) == comes_from


def test_a_value_of_the_environment_names_the_variable_and_a_flag_wins_over_the_file() -> None:
    assert source("models/m2/id", "${MODEL}") == "eval.yaml:1, environment variable MODEL"
    assert source("temps", flags={("temps",): "flag --temps"}) == "flag --temps"


def test_recognised_values_name_their_file() -> None:
    reasons = {("datasets", "mine", "format"): "recognised in q.csv", ("stats", "primary"): "chosen for the questions"}
    assert source("datasets/mine/format", reasons=reasons) == "recognised in q.csv"
    assert source("stats/primary", reasons=reasons) == "chosen for the questions"
    assert source("stats/alpha", reasons=reasons) == "eval.yaml:11"


def test_the_reason_for_a_section_applies_to_its_keys() -> None:
    assert source("pricing/embedded/models/m1/input_per_million", reasons={("pricing", "embedded"): "local"}) == "local"


def test_every_key_is_shown_even_if_records_omit_its_default(tmp_path: Path) -> None:
    tree = complete(loaded(tmp_path), {"m1"}, {"main"})
    assert tree["scorers"] is None
    assert tree["costs"] == {"criterion": None}
    assert tree["stats"]["missing"] == "exclude"
    assert tree["datasets"]["questions"]["encoding"] is None
    assert tree["models"]["m1"]["think_tags"] == "separate"
    assert tree["execution"]["max_attempts"] == 3
    assert tree["paths"]["experiments_dir"] == "experiments"


def test_the_shown_configuration_loads_as_the_same_configuration(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"stop": ["\n", "# x"]}, prompts={"control.txt": "Be careful:\n\n  - one\n  - two\n"})
    tree = complete(config, {"m1"}, {"main"})
    again = loaded(tmp_path, yaml.safe_load(annotated(tree, lambda _: "why")))
    assert complete(again, {"m1"}, {"main"}) == tree


def test_no_value_of_the_environment_is_shown(tmp_path: Path) -> None:
    changes = {"models": {"m1": "${WORD}"}, "paths": {"cache_dir": "${WORD}/cache"}}
    shown = complete(loaded(tmp_path, changes, {"WORD": "sk-1234"}), {"m1"}, {"main"})
    assert "sk-1234" not in annotated(shown, lambda _: "")
    assert (shown["models"]["m1"]["id"], shown["paths"]["cache_dir"]) == ("${WORD}", "${WORD}/cache")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"))  # fmt: skip
KEYS = st.text("abc.-_ #:'\"0", min_size=1)
TREES = st.dictionaries(
    KEYS,
    st.recursive(SCALARS, lambda below: st.lists(below) | st.dictionaries(KEYS, below), max_leaves=8),
    min_size=1,
)


LONG = st.lists(st.text("abc #:-'é") | st.just("\n"), max_size=40).map(" ".join)


@settings(max_examples=200, deadline=None)
@given(TREES | st.dictionaries(KEYS, LONG | LONG.map(" ".join), min_size=1), st.none() | st.integers(20, 60))
def test_any_tree_reads_back_unchanged(tree: dict[str, Any], width: int | None) -> None:
    assert yaml.safe_load(annotated(tree, lambda _: "a remark # with\na break", width)) == tree


def test_on_a_terminal_long_texts_are_folded_and_comments_come_first_where_they_do_not_fit() -> None:
    tree = {"prompts": {"text": "Answer in as few words as you can.\n\nSay so if you do not know.", "n": 1}}
    source = "read from a/long/path/of/a/file/prompt.txt"
    assert annotated(tree, lambda at: source if at[-1] == "text" else "default", 24).splitlines() == [
        "prompts:",
        "  # read from",
        "  # a/long/path/of/a/file/prompt.txt",
        "  text: >-",
        "    Answer in as few",
        "    words as you can.",
        "",
        "",
        "    Say so if you do not",
        "    know.",
        "  # default",
        "  n: 1",
    ]


def test_the_base_configuration_is_annotated_line_by_line(tmp_path: Path) -> None:
    path = write(tmp_path, base())
    tree, lines = parse(path, path.read_text())
    known = Given(path, tree, lines)
    text = annotated({"seed": 1, "models": {"m1": {"id": "x"}}}, lambda at: source_of(known, at, "", {}))
    assert text.splitlines() == [
        f"{'seed: 1':<48}  # default",
        "models:",
        "  m1:",
        f"{'    id: x':<48}  # {path}:3",
    ]


SERVERS = """\
models:
  m1: openai/gpt-4o-mini
  m2: {id: mine/some/model}
  m3: plain
providers:
  openai: {max_jobs: 4, timeout_s: 7}
  mine: {type: vllm, headers: {X-Api-Key: "${SECRET}"}}
  unused: {type: groq}
prompt_sets: {main: {control: control.txt, treatment: treatment.txt}}
datasets: {mine: q.csv}
"""


def test_servers_are_shown_with_their_preset_values_and_read_back_to_the_same_hash(
    tmp_path: Path,
) -> None:
    env = {"SECRET": "averysecretvalue"}
    config = load_config(write(tmp_path, SERVERS), env)
    tree = complete(config, {"m1", "m2", "m3"}, {"main"})
    assert tree["providers"] == {
        "openai": {
            "type": "openai", "mode": "batch", "base_url": "https://api.openai.com/v1", "key": "OPENAI_API_KEY",
            "max_jobs": 4, "timeout_s": 7.0,
        },
        "mine": {
            "type": "vllm", "mode": "live", "base_url": "http://127.0.0.1:8000/v1",
            "headers": {"X-Api-Key": "${SECRET}"},
        },
    }  # fmt: skip
    shown = annotated(tree, lambda at: "/".join(map(str, at)))
    (tmp_path / "again").mkdir()
    again = load_config(write(tmp_path / "again", shown), env)
    assert config_hash(tree_of(again)) == config_hash(tree_of(config))


@pytest.mark.parametrize(
    ("at", "value", "comes_from"),
    [
        ("models/m1/id", "gpt-4o-mini", "eval.yaml:2"),
        ("models/m1/provider", "openai", "eval.yaml:2"),
        ("models/m1/path", None, "default"),
        ("models/m2/provider", "mine", "eval.yaml:3"),
        ("models/m3/provider", None, "default"),
        ("providers/openai/max_jobs", 4, "eval.yaml:6"),
        ("providers/openai/type", "openai", "preset openai"),
        ("providers/openai/base_url", "https://api.openai.com/v1", "preset openai"),
        ("providers/mine/type", "vllm", "eval.yaml:7"),
        ("providers/mine/headers/X-Api-Key", "${SECRET}", "eval.yaml:7, environment variable SECRET"),
    ],
)
def test_values_of_servers_name_a_line_or_a_preset_as_their_source(at: str, value: object, comes_from: str) -> None:
    tree, lines = parse(FILE, SERVERS)
    path = tuple(at.split("/"))
    beside = {"type": {"openai": "openai", "mine": "vllm"}.get(path[1], "")} if path[0] == "providers" else {}
    assert source_of(Given(FILE, tree, lines), path, value, beside) == comes_from
