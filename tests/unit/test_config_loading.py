"""Reading a configuration: where each value comes from, and how errors are reported."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from promptrial import registry
from promptrial.config.loading import environment, load_config
from promptrial.errors import ConfigError
from tests.support.configs import base, complaint, loaded, write

KEY = "sk-very-secret-1"


def line_of(folder: Path, text: str) -> int:
    """Return the number of the line of the written configuration that holds a text."""
    lines = (folder / "eval.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_the_smallest_configuration_loads_with_the_defaults(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    assert config.folder == tmp_path
    assert config.placeholders == {}
    experiment = config.experiment
    assert (experiment.provider, experiment.temps, experiment.samples_per_item) == ("embedded", (0.0,), 1)
    assert experiment.conditions is None
    assert experiment.trials is None


def test_the_shipped_configuration_loads() -> None:
    path = Path(__file__).parents[2] / "config/eval_config.yaml"
    experiment = load_config(path, {}).experiment
    assert set(experiment.prompt_sets) >= {"default", "operational_only", "length_matched_random"}


@pytest.mark.parametrize(
    ("changes", "key", "meant"),
    [
        ({"limt_items": 3}, "limt_items", "limit_items"),
        ({"datasets": {"q": {"format": "custom", "path": "x", "sise": 3}}}, "datasets.q.sise", "size"),
        ({"datasets": {"q": {"format": "custom", "hub": {"repo": "r", "splitt": "x"}}}},
         "datasets.q.hub.splitt", "split"),
        ({"prompt_sets": {"main": {"control": "control.txt", "treatment": "treatment.txt", "contrl": "x"}}},
         "prompt_sets.main.contrl", "control"),
        ({"prompt_sets": {"main": {"control": {"path": "control.txt", "txt": ""}, "treatment": "treatment.txt"}}},
         "prompt_sets.main.control.txt", "text"),
        ({"models": {"m1": {"id": "x", "pth": "y"}}}, "models.m1.pth", "path"),
        ({"stats": {"alfa": 0.05}}, "stats.alfa", "alpha"),
        ({"sweep": {"prompt_set": ["main"]}}, "sweep.prompt_set", "prompt_sets"),
        ({"sweep": {"max_new_tokens": [{"open_bok": 3}]}}, "sweep.max_new_tokens.0.open_bok", "open_book"),
        ({"trials": [{"model": "m1", "prompt_set": "main", "tmps": [0]}]}, "trials.0.tmps", "temps"),
        ({"pricing": {"embedded": {"models": {"m1": {"input_per_million": 1, "output_per_million": 1,
                                                             "output_per": 2}}}}},
         "pricing.embedded.models.m1.output_per", "output_per_million"),
        ({"scoring": {"unsupported": {"min_overlap": 0.5}}}, "scoring.unsupported.min_overlap", "min_token_overlap"),
    ],
)  # fmt: skip
def test_an_unknown_key_at_any_depth_is_named_with_its_line_and_what_was_meant(
    tmp_path: Path, changes: dict[str, Any], key: str, meant: str
) -> None:
    message = complaint(tmp_path, base() | changes)
    line = line_of(tmp_path, f"{key.rsplit('.', 1)[-1]}:")
    assert message == f"FILE:{line}: {key}: unknown key; did you mean {meant!r}?"


def test_an_unknown_key_like_no_other_lists_the_known_ones(tmp_path: Path) -> None:
    message = complaint(tmp_path, base() | {"sweep": {"zzz": 1}})
    assert message.endswith("sweep.zzz: unknown key; known: models, prompt_sets, top_p, top_k, max_new_tokens")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seed": "many"}, "seed: expected a whole number; given: 'many'"),
        ({"seed": 1.5}, "seed: expected a whole number; given: 1.5"),
        ({"seed": True}, "seed: expected a number; given: True"),
        ({"seed": -1}, "seed: must be greater than or equal to 0; given: -1"),
        ({"seed": None}, "seed: expected a whole number; given: nothing"),
        ({"question": ["a"]}, "question: expected text; given: a list"),
        ({"name": "a b"}, "name: 'a b' is not a name: use a letter or digit, then at most 63 of letters"),
        ({"models": {"..": {"id": "x"}}}, "models...: '..' is not a name: use a letter or digit, then"),
        ({"models": {}}, "models: needs 1 or more entries; given: no keys"),
        ({"models": {"m1": 4}}, "models.m1: expected the id of a model, or keys and values; given: 4"),
        ({"samples_per_item": "many"}, "samples_per_item: expected a whole number; given: 'many'"),
        ({"samples_per_item": 0}, "samples_per_item: must be greater than or equal to 1; given: 0"),
        ({"samples_per_item": True}, "samples_per_item: expected a number; given: True"),
        ({"samples_per_item": [1]}, "samples_per_item: expected a whole number; given: a list"),
        ({"samples_per_item": {0.7: 0}}, "samples_per_item.0.7: must be greater than or equal to 1; given: 0"),
        ({"samples_per_item": {0.7: "x"}}, "samples_per_item.0.7: expected a whole number; given: 'x'"),
        ({"samples_per_item": {"warm": 2}}, "samples_per_item: 'warm' is not a temperature: give a number from 0 to 2"),
        ({"samples_per_item": {"nan": 2}}, "samples_per_item: 'nan' is not a temperature: give a number from 0 to 2"),
        ({"samples_per_item": {"7": 2}}, "samples_per_item: '7' is not a temperature: give a number from 0 to 2"),
        ({"samples_per_item": {0.7: 2, "0.70": 3}}, "samples_per_item: '0.7' and '0.70' are the same temperature"),
        ({"temps": 0.7}, "temps: expected a list; given: 0.7"),
        ({"temps": []}, "temps: needs 1 or more entries; given: an empty list"),
        ({"temps": ["hot"]}, "temps.0: expected a number; given: 'hot'"),
        ({"temps": [0.0, True]}, "temps.1: expected a number; given: True"),
        ({"temps": [2.5]}, "temps.0: must be less than or equal to 2; given: 2.5"),
        ({"temps": [0.1234]}, "temps.0: must be a multiple of 0.001; given: 0.1234"),
        ({"temps": [0.7, 0.0, 0.70]}, "temps: 0.7 is given twice"),
        ({"conditions": []}, "conditions: needs 1 or more entries; given: an empty list"),
        ({"conditions": ["ctrl"]},
         "conditions.0: unknown arm 'ctrl'; did you mean 'control'?; known: control, treatment"),
        ({"conditions": ["control", "control"]}, "conditions: 'control' is given twice"),
        ({"top_p": 0}, "top_p: must be greater than 0; given: 0"),
        ({"stop": "x"}, "stop: expected a list; given: 'x'"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop: may have at most 4 entries; given: a list"),
        ({"stop": [""]}, "stop.0: may not be empty; given: ''"),
        ({"stats": 5}, "stats: expected keys and values; given: 5"),
        ({"stats": None}, "stats: expected keys and values; given: nothing"),
        ({"stats": {"missing": "zero"}}, "stats.missing: must be 'exclude' or 'failure'; given: 'zero'"),
        ({"stats": {"alpha": 1}}, "stats.alpha: must be less than 0.5; given: 1"),
        ({"stats": {"alpha": float("inf")}}, "stats.alpha: expected a finite number; given: inf"),
        ({"stats": {"primary": "em"}}, "stats.primary: expected a list; given: 'em'"),
        ({"stats": {"primary": ["em", "em"]}}, "stats.primary: 'em' is given twice"),
        ({"stats": {"tost_margins": {"em": 0}}}, "stats.tost_margins.em: must be greater than 0; given: 0"),
        ({"scoring": {"unsupported": {"strategy": "fuzzy"}}},
         "scoring.unsupported.strategy: must be 'exact' or 'overlap'; given: 'fuzzy'"),
        ({"scoring": {"extra_refusals": [""]}}, "scoring.extra_refusals.0: may not be empty; given: ''"),
        ({"pricing": {"embedded": {"models": {"m": {"input_per_million": float("nan"), "output_per_million": 0}}}}},
         "pricing.embedded.models.m.input_per_million: expected a finite number; given: nan"),
        ({"prompt_sets": {"main": {"control": 5, "treatment": "treatment.txt"}}},
         "prompt_sets.main.control: expected the path of a file; given: 5"),
        ({"prompt_sets": {"main": {"control": "control.txt"}}},
         "prompt_sets.main: give exactly one of `treatment` and `treatments`"),
        ({"sweep": {"models": []}}, "sweep.models: needs 1 or more entries; given: an empty list"),
        ({"sweep": {"top_k": [5, 5]}}, "sweep.top_k: 5 is given twice"),
        ({"trials": []}, "trials: needs 1 or more entries; given: an empty list"),
        ({"trials": [{"model": "m1"}]}, "trials.0.prompt_set: this key is required"),
        ({"trials": [{"model": "m1", "prompt_set": "main", "temps": [0.7, 0.7]}]},
         "trials.0.temps: 0.7 is given twice"),
        ({"datasets": {"Bad-Name": {"format": "custom", "path": "x"}}},
         "datasets.Bad-Name: dataset name 'Bad-Name': a lower-case letter, then at most 19 of lower-case letters,"),
        ({"datasets": {"x" * 21: {"format": "custom", "path": "x"}}}, f"datasets.{'x' * 21}: dataset name"),
        ({"datasets": {"a_b_c_d_e_f_g_h_i": {"format": "custom", "path": "x"}}},
         "datasets.a_b_c_d_e_f_g_h_i: dataset name 'a_b_c_d_e_f_g_h_i': may have at most 24 characters, each _"),
        ({"samples_per_item": 10_000_001}, "samples_per_item: must be less than or equal to 10000000; given: 10000001"),
        ({"datasets": {"q": {"format": "custom"}}}, "datasets.q: give exactly one of `path` and `hub`"),
        ({"datasets": {"q": {"format": "custom", "path": "x", "hub": {"repo": "r"}}}},
         "datasets.q: give exactly one of `path` and `hub`"),
        ({"parts_per_dataset": 2, "lines_per_part": 3},
         "lines_per_part: give only one of `parts_per_dataset` and `lines_per_part`"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_file_line_key_what_was_given_and_what_is_allowed(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    message = complaint(tmp_path, base() | changes)
    assert re.match(r"FILE:\d+: ", message), message
    assert message.split(": ", 1)[1].startswith(expected)
    assert "\n" not in message  # one problem, one sentence


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"provider": "embeded"}, "provider", "unknown provider 'embeded'; did you mean 'embedded'?; known: embedded"),
        ({"models": {"m1": {"id": "x", "provider": "zzz"}}}, "models.m1.provider", "unknown provider 'zzz'; known: "),
        ({"datasets": {"q": {"format": "squad", "path": "x"}}}, "datasets.q.format",
         "unknown dataset format 'squad'; did you mean 'squad_v2'?; known: squad_v2, nq_open, triviaqa, custom"),
        ({"stats": {"primary": ["em", "em2"]}}, "stats.primary.1", "unknown scorer 'em2'; did you mean 'em'?;"),
        ({"stats": {"tost_margins": {"em_": 0.1}}}, "stats.tost_margins.em_",
         "unknown scorer 'em_'; did you mean 'em'?"),
        ({"sweep": {"models": ["m1", "m11"]}}, "sweep.models.1", "unknown model 'm11'; did you mean 'm1'?; known: m1"),
        ({"sweep": {"prompt_sets": ["man"]}}, "sweep.prompt_sets.0", "unknown prompt set 'man'; did you mean 'main'?"),
        ({"trials": [{"model": "m2", "prompt_set": "main"}]}, "trials.0.model", "unknown model 'm2'; known: m1"),
        ({"pricing": {"embeded": {}}}, "pricing.embeded",
         "unknown provider 'embeded'; did you mean 'embedded'?; known: embedded"),
        ({"pricing": {"embedded": {"models": {"vendor/model1": {"input_per_million": 1, "output_per_million": 1}}}}},
         "pricing.embedded.models.vendor/model1",
         "'vendor/model1' is neither an alias nor an id in `models`; did you mean 'vendor/model-1'?; aliases: m1"),
        ({"temps": [0.0, 0.7], "samples_per_item": {0.0: 1, 0.07: 5}}, "samples_per_item.0.07",
         "'0.07' is not one of the temperatures; did you mean '0.7'?; known: 0.0, 0.7"),
        ({"trials": [{"model": "m1", "prompt_set": "x"}]}, "trials.0.prompt_set",
         "unknown prompt set 'x'; known: main"),
    ],
)  # fmt: skip
def test_an_unknown_name_lists_near_misses_and_the_known_ones(
    tmp_path: Path, changes: dict[str, Any], key: str, said: str
) -> None:
    message = complaint(tmp_path, base() | changes)
    assert re.match(r"FILE:\d+: ", message)
    assert message.split(": ", 1)[1].startswith(f"{key}: {said}")


def test_the_line_is_that_of_the_entry_and_not_of_its_section(tmp_path: Path) -> None:
    message = complaint(tmp_path, base() | {"sweep": {"models": ["m1", "zz"]}})
    assert message.startswith(f"FILE:{line_of(tmp_path, '- zz')}: ")


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    message = complaint(tmp_path, base() | {"seed": "x", "limt": 1, "temps": ["a", "b"]})
    assert [line.split(": ")[1] for line in message.splitlines()] == ["seed", "temps.0", "temps.1", "limt"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models:\n  m1: [1\nx: 2\n", "FILE:3: not valid YAML: "),
        ("a: 1\nb: c: d\n", "FILE:2: not valid YAML: mapping values are not allowed"),
        ("a: 1\n\tb: 2\n", "FILE:2: not valid YAML: "),
        ("a: 1\nb: \x07\n", "FILE:2: not valid YAML: control characters are not allowed"),
        ("a: 1\n---\nb: 2\n", "FILE:2: not valid YAML: but found another document"),
        ("a: 1\nb: {{ x }}\n", "FILE:2: not valid YAML: found unhashable key"),
        ("a: 1\n? [b, c]\n: 2\n", "FILE:2: not valid YAML: found unhashable key"),
        ("a: !!python/object:os.system x\n", "FILE:1: not valid YAML: could not determine a constructor"),
        ("b: 1\na: !!int x\n", "FILE:2: not valid YAML: 'x' is not a valid value of type int"),
        ("b: 1\na: !!int ''\n", "FILE:2: not valid YAML: '' is not a valid value of type int"),
        ("b: 1\na: " + "9" * 5000, "FILE:2: not valid YAML: '99999"),
        ("b: 1\na: !!float x\n", "FILE:2: not valid YAML: 'x' is not a valid value of type float"),
        ("b: 1\na: !!bool maybe\n", "FILE:2: not valid YAML: 'maybe' is not a valid value of type bool"),
        ("b: 1\na: !!timestamp soon\n", "FILE:2: not valid YAML: 'soon' is not a valid value of type timestamp"),
        (
            "b: 1\na: !!timestamp 2025-13-45\n",
            "FILE:2: not valid YAML: '2025-13-45' is not a valid value of type timestamp",
        ),
        ("b: 1\na: !!binary é\n", "FILE:2: not valid YAML: failed to convert base64 data into ascii"),
        ("b: 1\na: !!binary abc\n", "FILE:2: not valid YAML: failed to decode base64 data"),
        ("b: 1\na: !!omap {x: 1}\n", "FILE:2: not valid YAML: expected a sequence"),
        ("b: 1\na: !!set [x]\n", "FILE:2: not valid YAML: expected a mapping node"),
        ("b: 1\n<<: 3\n", "FILE:2: not valid YAML: expected a mapping or list of mappings for merging"),
        ("b: 1\na: *nothing\n", "FILE:2: not valid YAML: found undefined alias"),
        ('b: 1\na: "\\ud800"\n', "FILE:2: not valid YAML: found invalid Unicode character escape code"),
        ('b: 1\nprovider: "a\\0b"\n', "FILE:2: provider: a NUL character is not allowed"),
        ('b: 1\n"a\\0b": x\n', "FILE:2: the top level: a NUL character is not allowed"),
        ("b: 1\nc: 1\nb: 2\n", "FILE:3: b: this key is given twice"),
        ("b: 1\na: &b [*b]\n", "FILE:2: not valid YAML: the alias *b refers to a value that contains it"),
        ("b: 1\na: &b {<<: *b}\n", "FILE:2: not valid YAML: the alias *b refers to a value that contains it"),
        ("b: 1\na: " + "[" * 100_000, "FILE:2: not valid YAML: nested more than 64 levels deep"),
        ("b: 1\na: " + "{a: " * 100_000, "FILE:2: not valid YAML: nested more than 64 levels deep"),
        ("b: 1\n" + "- " * 100_000, "FILE:2: not valid YAML: "),
        (
            "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200)),
            "FILE:64: not valid YAML: nested more than 64 levels deep",
        ),
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)),
            "FILE:6: not valid YAML: more than 200,000 values, aliases expanded",
        ),
        ("a: [" + "x, " * 200_001 + "x]", "FILE:1: not valid YAML: more than 200,000 values"),
        ("- a\n- b\n", "FILE: expected keys and values at the top level, found a list"),
        ("", "FILE: expected keys and values at the top level, found nothing"),
        ("# only a comment\n", "FILE: expected keys and values at the top level, found nothing"),
        ("just words\n", "FILE: expected keys and values at the top level, found a str"),
    ],
)
def test_yaml_that_is_not_a_mapping_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed: 1\nmodels:\n  m1: {id: x}\nseed: 2\n", "FILE:4: seed: this key is given twice"),
        ("models:\n  m1: {id: x}\n  m1: {id: y}\n", "FILE:3: models.m1: this key is given twice"),
        ("trials:\n  - model: a\n    model: b\n", "FILE:3: trials.0.model: this key is given twice"),
        ('models:\n  1: {id: x}\n  "1": {id: y}\n', "FILE:3: models.1: this key is given twice"),
    ],
)
def test_a_duplicate_key_is_refused_rather_than_silently_dropped(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text) == said


def test_two_spellings_of_the_same_temperature_are_refused(tmp_path: Path) -> None:
    text = write(tmp_path, base()).read_text() + "samples_per_item: {0.7: 1, 0.70: 5}\n"
    assert "'0.7' and '0.70' are the same temperature" in complaint(tmp_path, text)


def test_keys_are_the_text_as_written_in_the_file(tmp_path: Path) -> None:
    text = write(tmp_path, base() | {"models": None}).read_text()
    text = text.replace("models: null", "models: {no: {id: a}, 007: {id: b}, 1e3: {id: c}, 2026-01-01: {id: d}}")
    config = load_config(write(tmp_path, text), {})
    assert list(config.experiment.models) == ["no", "007", "1e3", "2026-01-01"]


def test_a_date_is_read_as_text_even_if_impossible(tmp_path: Path) -> None:
    text = write(tmp_path, base()).read_text() + "name: 2026-02-30\nquestion: 2026-01-01\n"
    experiment = load_config(write(tmp_path, text), {}).experiment
    assert (experiment.name, experiment.question) == ("2026-02-30", "2026-01-01")


def test_merged_keys_work_and_may_be_overridden(tmp_path: Path) -> None:
    text = write(tmp_path, base() | {"models": None}).read_text()
    text = text.replace("models: null", "models:\n  m1: &a {id: x, path: p}\n  m2: {<<: *a, id: y}")
    models = load_config(write(tmp_path, text), {}).experiment.models
    assert (models["m2"].id, models["m2"].path) == ("y", "p")


def test_a_minus_zero_temperature_is_zero(tmp_path: Path) -> None:
    assert repr(loaded(tmp_path, {"temps": [-0.0]}).experiment.temps) == "(0.0,)"


# --- files --------------------------------------------------------------------------------------------------------


def test_a_missing_configuration_is_reported_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="configuration file not found") as caught:
        load_config(tmp_path / "none.yaml", {})
    assert caught.value.hint is not None


def test_a_configuration_that_is_not_utf8_or_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    for path in (tmp_path / "latin.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot read this configuration file"):
            load_config(path, {})


def test_a_missing_prompt_file_is_named_with_the_line_of_its_key(tmp_path: Path) -> None:
    message = complaint(
        tmp_path, base() | {"prompt_sets": {"main": {"control": "no.txt", "treatment": "treatment.txt"}}}
    )
    assert message.startswith(f"FILE:{line_of(tmp_path, 'no.txt')}: prompt_sets.main.control: ")
    assert "no.txt: prompt file not found" in message


@pytest.mark.parametrize("text", ["", "\n\n", "  \n\t\n"])
def test_an_empty_prompt_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, base(), {"treatment.txt": text})
    with pytest.raises(ConfigError, match=r"prompt_sets\.main\.treatment: .*treatment\.txt is empty"):
        load_config(path, {})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("open.txt", "{question}", "task_instructions.open_book: open.txt must hold {context} exactly once"),
        ("open.txt", "{context}", "must hold {question} exactly once"),
        ("open.txt", "Go.", "must hold {context} exactly once and {question} exactly once"),
        ("open.txt", "{context} {question} {question}", "must hold {question} exactly once"),
        ("closed.txt", "Go.", "task_instructions.closed_book: closed.txt must hold {question} exactly once"),
        ("closed.txt", "{question} {context}", "task_instructions.closed_book: closed.txt must hold {context} nowhere"),
    ],
)
def test_a_task_instruction_must_have_exactly_its_placeholders(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = write(tmp_path, base(), {name: text})
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert caught.value.message.startswith(f"{path}:{line_of(tmp_path, name)}: ")
    assert said in caught.value.message


def test_a_prompt_is_its_text_without_trailing_newlines(tmp_path: Path) -> None:
    config = loaded(tmp_path, prompts={"control.txt": "\ufeff One\r\nTwo é \n\n"})
    prompt = config.experiment.prompt_sets["main"].control.prompt
    assert prompt.text == " One\nTwo é "
    assert prompt.sha256 == hashlib.sha256(" One\nTwo é ".encode()).hexdigest()


def prompt_sets(**control: str) -> dict[str, Any]:
    return {"prompt_sets": {"main": {"control": {"path": "control.txt", **control}, "treatment": "treatment.txt"}}}


def test_a_prompt_pinned_by_its_digest_is_still_read_and_must_match(tmp_path: Path) -> None:
    right = hashlib.sha256(b"You are careful.").hexdigest()
    config = loaded(tmp_path, prompt_sets(sha256=right))
    assert config.experiment.prompt_sets["main"].control.prompt.text == "You are careful."
    message = complaint(tmp_path, base() | prompt_sets(sha256="0" * 64))
    assert "prompt_sets.main.control: the text of control.txt has SHA-256" in message


def test_a_text_beside_another_texts_digest_is_refused(tmp_path: Path) -> None:
    message = complaint(tmp_path, base() | prompt_sets(text="Edited.", sha256="0" * 64))
    assert "as given here" in message


def test_prompt_paths_start_from_the_folder_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert loaded(tmp_path).experiment.prompt_sets["main"].control.prompt.text == "You are careful."


# --- overrides and the environment ---------------------------------------------------------------------------------


def test_flags_win_over_the_file_also_where_the_file_has_nothing(tmp_path: Path) -> None:
    changes = {"temps": [0.0], "sweep": None}
    experiment = loaded(tmp_path, changes, overrides={("temps",): [0.7], ("sweep", "models"): ["m1"]}).experiment
    assert experiment.temps == (0.7,)
    assert experiment.sweep.models == ("m1",)


def test_a_flag_below_a_value_that_is_not_a_section_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path, base() | {"sweep": [1]})
    with pytest.raises(ConfigError, match=r"eval\.yaml:\d+: sweep: expected keys and values"):
        load_config(path, {}, {("sweep", "models"): ["m1"]})


def test_a_wrong_flag_is_checked_like_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, base())
    with pytest.raises(ConfigError, match=r"unknown model 'm9'"):
        load_config(path, {}, {("sweep", "models"): ["m9"]})


def test_a_variable_is_resolved_for_use_and_recorded_unresolved(tmp_path: Path) -> None:
    changes = {"models": {"m1": {"id": "${ORG}/model-${SIZE}"}}, "seed": "${SEED}"}
    config = loaded(tmp_path, changes, {"ORG": "acme", "SIZE": "7b", "SEED": "42"})
    assert config.experiment.models["m1"].id == "acme/model-7b"
    assert config.experiment.seed == 42
    assert config.placeholders == {("models", "m1", "id"): "${ORG}/model-${SIZE}", ("seed",): "${SEED}"}


def test_a_variable_in_a_variables_value_is_not_resolved_again(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"question": "${A}"}, {"A": "${B}", "B": "no"})
    assert config.experiment.question == "${B}"


def test_a_variable_that_is_not_set_is_named_with_file_line_and_key(tmp_path: Path) -> None:
    changes = {"trials": [{"model": "m1", "prompt_set": "${NOWHERE}"}]}
    message = complaint(tmp_path, base() | changes)
    line = line_of(tmp_path, "${NOWHERE}")
    assert message.startswith(
        f"FILE:{line}: trials.0.prompt_set: the environment variable NOWHERE is not set\n  next: "
    )


def test_an_empty_variable_is_a_value(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"question": "${EMPTY}"}, {"EMPTY": ""}).experiment.question == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": "${KEY}"},
        {"provider": "${KEY}"},
        {"models": {"m1": {"id": "x", "provider": "${KEY}"}}},
        {"stats": {"primary": ["em", "${KEY}"]}},
        {"temps": ["${KEY}"]},
        {"conditions": ["${KEY}"]},
        {"trials": [{"model": "${KEY}", "prompt_set": "main"}]},
        {"sweep": {"models": ["${KEY}"]}},
        {"sweep": {"models": ["${KEY}", "${KEY}"]}},
        {"name": "${KEY} !"},
        {"samples_per_item": "${KEY}"},
    ],
)
def test_an_error_shows_the_placeholder_and_never_the_value(tmp_path: Path, changes: dict[str, Any]) -> None:
    message = complaint(tmp_path, base() | changes, {"KEY": KEY})
    assert KEY not in message
    assert "${KEY}" in message


def test_prompt_texts_can_mention_variables(tmp_path: Path) -> None:
    config = loaded(tmp_path, prompts={"control.txt": "Write ${NAME} as it is."})
    assert config.experiment.prompt_sets["main"].control.prompt.text == "Write ${NAME} as it is."


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB='from file'\nEMPTY\n# C=no\n")
    assert environment({"A": "process"}, tmp_path) == {"A": "process", "B": "from file"}
    assert environment({"A": "process"}, tmp_path / "elsewhere") == {"A": "process"}


def test_a_provider_added_to_the_registry_is_known_to_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "extra", "somewhere:Extra")
    assert loaded(tmp_path, {"provider": "extra"}).experiment.provider == "extra"


TREATMENTS = {"control": "control.txt", "treatments": {"a": {"text": "SAID"}}}
TEMPLATE = {"open_book": "open.txt", "closed_book": {"text": "SAID {question}"}}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"prompt_sets": {"main": {"control": {"text": "SAID"}, "treatment": "treatment.txt"}}},
         "prompt_sets.main.control.text"),
        ({"prompt_sets": {"main": {"control": {"prompt": {"text": "SAID"}}, "treatment": "treatment.txt"}}},
         "prompt_sets.main.control.prompt.text"),
        ({"prompt_sets": {"main": TREATMENTS}}, "prompt_sets.main.treatments.a.text"),
        ({"task_instructions": TEMPLATE}, "task_instructions.closed_book.text"),
        ({"prompt_sets": {"main": {"control": {"path": "control.txt", "task_instructions": TEMPLATE},
                                   "treatment": "treatment.txt"}}},
         "prompt_sets.main.control.task_instructions.closed_book.text"),
        ({"scorers": {"mine": {"type": "python", "file": "mine.py", "text": "SAID"}}}, "scorers.mine.text"),
    ],
)  # fmt: skip
def test_an_inline_text_is_kept_unchanged_and_must_fit_into_a_request(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    def saying(text: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(json.dumps(changes).replace("SAID", json.dumps(text)[1:-1]))
        return base() | said

    assert not load_config(write(tmp_path, saying("cost: ${NO_SUCH}")), {}).placeholders
    assert f"{key}: a NUL character is not allowed" in complaint(tmp_path, saying("a\0b"))
    assert "invalid Unicode" in complaint(tmp_path, json.dumps(saying("a\udc80")))


def test_a_setting_of_a_scorer_that_is_called_text_takes_values_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("SCORER = 1")
    scorers = {"mine": {"type": "python", "file": "mine.py", "rules": {"text": "${W}", "deep": [{"text": "${W}"}]}}}
    loaded = load_config(write(tmp_path, base() | {"scorers": scorers}), {"W": "please"})
    assert loaded.experiment.scorers_in_use["mine"].settings == {
        "rules": {"text": "please", "deep": [{"text": "please"}]}
    }
