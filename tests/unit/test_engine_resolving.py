"""What a configuration leaves open: decided from the questions once, and from the record afterwards."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.effective import config_hash, effective
from promptrial.config.loading import LoadedConfig, load_config
from promptrial.engine.resolving import Recorded, Resolution, load_resolved
from promptrial.errors import ConfigError, DataError
from tests.support.configs import base, write

LONG = "Iron rusts where it meets water and oxygen, and paint keeps both of them away."
MINIMAL: dict[str, Any] = {
    "models": {"small": "smollm2-135m-instruct"},
    "prompt_sets": {"main": {"control": "control.txt", "treatment": "treatment.txt"}},
    "datasets": {"mine": "questions.jsonl"},
}


def questions(folder: Path, n: int = 6, **fields: Any) -> Path:
    path = folder / "questions.jsonl"
    rows = ({"question": f"Why {number}?", "answer": LONG} | fields for number in range(n))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def resolved(
    folder: Path, changes: Mapping[str, Any] | None = None, recorded: Recorded | None = None
) -> tuple[LoadedConfig, Resolution]:
    return load_resolved(write(folder, MINIMAL | dict(changes or {})), {}, recorded=recorded)


def tree(loaded: LoadedConfig) -> dict[str, Any]:
    return effective(loaded, set(loaded.experiment.models), set(loaded.experiment.prompt_sets))


def record(folder: Path, *, holds: bool = True, changes: Mapping[str, Any] | None = None) -> Recorded:
    """Return what a run of the minimal configuration has on record."""
    loaded, resolution = resolved(folder, changes)
    return Recorded(tree(loaded), resolution.reasons, holds)


def test_format_columns_scorers_and_their_consequences_are_decided_from_the_questions(tmp_path: Path) -> None:
    questions(tmp_path)
    loaded, resolution = resolved(tmp_path)
    config = loaded.experiment
    mine = config.datasets["mine"]
    assert mine.format == "custom"
    assert mine.columns is not None
    assert mine.columns.given == {"question": "question", "answers": "answer"}
    assert list(config.scorers or {}) == ["f1"]
    assert config.stats.primary == ("f1",)
    assert (config.max_new_tokens.open_book, config.max_new_tokens.closed_book) == (256, 256)
    assert config.stop == ("\nQuestion:",)
    assert config.pricing["embedded"].models["small"].output_per_million == 0
    assert resolution.reasons["datasets/mine/format"] == "recognised in questions.jsonl"
    assert resolution.reasons["scorers"] == "chosen for the questions"
    assert "scorers: f1 (6 of 6 questions have a long answer)" in resolution.sentences
    assert "primary endpoint: f1" in resolution.sentences


def test_numbers_with_a_decimal_comma_are_read_with_it(tmp_path: Path) -> None:
    questions(tmp_path, answer="2,5")
    loaded, resolution = resolved(tmp_path)
    scorers = loaded.experiment.scorers or {}
    assert list(scorers) == ["numeric", "em"]
    assert scorers["numeric"].settings == {"decimal": ","}
    assert "scorers: the decimal mark of the accepted numbers is a comma" in resolution.sentences


def test_letters_are_compared_by_rules_that_keep_them_unless_configured(tmp_path: Path) -> None:
    questions(tmp_path, answer="A")
    loaded, resolution = resolved(tmp_path)
    assert (list(loaded.experiment.scorers or {}), loaded.experiment.datasets["mine"].rules) == (["em"], "letters")
    assert resolution.reasons["datasets/mine/rules"] == "chosen for the questions"
    given = {"datasets": {"mine": {"path": "questions.jsonl", "rules": "exact"}}}
    assert resolved(tmp_path, given)[0].experiment.datasets["mine"].rules == "exact"


def test_letters_keep_the_rules_of_an_official_evaluation(tmp_path: Path) -> None:
    asked = {"id": "1", "question": "Why?", "answers": [{"text": "A", "answer_start": 0}], "is_impossible": False}
    article = {"title": "t", "paragraphs": [{"context": "A mill.", "qas": [asked]}]}
    (tmp_path / "squad.json").write_text(json.dumps({"version": "v2.0", "data": [article]}))
    mine = resolved(tmp_path, {"datasets": {"mine": "squad.json"}})[0].experiment.datasets["mine"]
    assert (mine.format, mine.rules) == ("squad_v2", None)


def test_recorded_rules_of_a_run_are_kept(tmp_path: Path) -> None:
    questions(tmp_path, answer="A")
    before = record(tmp_path, changes={"scorers": {"em": None}})
    assert resolved(tmp_path, recorded=before)[0].experiment.datasets["mine"].rules is None
    assert resolved(tmp_path, recorded=record(tmp_path))[0].experiment.datasets["mine"].rules == "letters"


def test_configured_values_are_not_replaced_by_decisions(tmp_path: Path) -> None:
    questions(tmp_path)
    given: dict[str, Any] = {
        "scorers": {"em": None, "f1": None},
        "stop": [],
        "max_new_tokens": {"open_book": 9},
        "pricing": {"embedded": {"models": {"small": {"input_per_million": 1, "output_per_million": 2}}}},
    }
    loaded, resolution = resolved(tmp_path, given)
    config = loaded.experiment
    assert list(config.scorers or {}) == ["em", "f1"]
    assert config.stats.primary == ("em",)
    assert config.stop == ()
    assert config.max_new_tokens.open_book == 9
    assert config.pricing["embedded"].models["small"].output_per_million == 2
    assert set(resolution.reasons) == {
        "datasets/mine/format", "datasets/mine/columns/question", "datasets/mine/columns/answers",
    }  # fmt: skip


def test_scorers_that_other_keys_name_run_beside_those_that_fit(tmp_path: Path) -> None:
    questions(tmp_path)
    loaded, _ = resolved(tmp_path, {"stats": {"primary": ["em"], "tost_margins": {"abstention": 0.1}}})
    assert list(loaded.experiment.scorers or {}) == ["f1", "em", "abstain_rate"]
    assert loaded.experiment.stats.primary == ("em",)


def test_an_unsuitable_scorer_can_be_the_primary_endpoint_without_a_list_of_scorers(tmp_path: Path) -> None:
    questions(tmp_path)
    loaded, _ = resolved(tmp_path, {"stats": {"primary": ["includes"]}})
    assert list(loaded.experiment.scorers or {}) == ["f1", "includes"]
    assert loaded.experiment.stats.primary == ("includes",)


def test_a_margin_under_an_alias_is_not_a_primary_endpoint(tmp_path: Path) -> None:
    questions(tmp_path)
    loaded, _ = resolved(tmp_path, {"stats": {"tost_margins": {"abstention": 0.1}}})
    assert loaded.experiment.stats.primary == ("f1",)
    assert loaded.experiment.stats.tost_margins == {"abstain_rate": 0.1}


def test_given_columns_are_kept_as_written(tmp_path: Path) -> None:
    questions(tmp_path, Loesung=LONG)
    columns = {"answers": "Loesung"}
    loaded, resolution = resolved(tmp_path, {"datasets": {"mine": {"path": "questions.jsonl", "columns": columns}}})
    mine = loaded.experiment.datasets["mine"].columns
    assert mine is not None
    assert mine.given == {"question": "question", "answers": "Loesung"}
    assert "datasets/mine/columns/answers" not in resolution.reasons


def test_a_configuration_with_stated_formats_loads_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptrial.datasets.recognising.recognise", None)
    path = write(tmp_path, base())
    loaded, resolution = load_resolved(path, {})
    assert resolution == Resolution()
    assert config_hash(tree_of_base(loaded)) == config_hash(tree_of_base(load_config(path, {})))


def tree_of_base(loaded: LoadedConfig) -> dict[str, Any]:
    return effective(loaded, {"m1"}, {"main"})


def test_with_one_stated_format_the_default_pack_is_used_and_only_the_other_file_is_recognised(tmp_path: Path) -> None:
    questions(tmp_path)
    both = {"mine": "questions.jsonl", "other": {"format": "custom", "path": "other.jsonl"}}
    loaded, resolution = resolved(tmp_path, {"datasets": both})
    assert loaded.experiment.scorers is None
    assert loaded.experiment.stop == ()
    assert all(key.startswith("datasets/mine/") for key in resolution.reasons)


def test_a_hosted_model_gets_no_price_and_no_stop_sequence(tmp_path: Path) -> None:
    questions(tmp_path)
    loaded, _ = resolved(tmp_path, {"provider": "fireworks", "models": {"big": "accounts/x/models/y"}})
    assert loaded.experiment.stop == ()
    assert loaded.experiment.pricing == {}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"datasets\.mine\.path: .*questions\.jsonl is not a file"):
        resolved(tmp_path)


def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path) -> None:
    questions(tmp_path).write_text('{"question": "Why?", "answer": "x"}\n{"question": 1, \n')
    with pytest.raises(DataError, match=r"questions\.jsonl:2"):
        resolved(tmp_path)


def test_a_data_set_on_the_hub_has_the_known_format_of_its_repository(tmp_path: Path) -> None:
    loaded, resolution = resolved(tmp_path, {"datasets": {"mine": {"hub": {"repo": "rajpurkar/SQuAD_v2"}}}})
    assert loaded.experiment.datasets["mine"].format == "squad_v2"
    assert loaded.experiment.scorers is None
    assert resolution.reasons["datasets/mine/format"] == "the format of rajpurkar/SQuAD_v2"


def test_a_data_set_on_the_hub_that_is_not_known_needs_its_format(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"datasets\.mine\.format: a data set on the hub needs its format") as caught:
        resolved(tmp_path, {"datasets": {"mine": {"hub": {"repo": "some/thing"}}}})
    assert "squad_v2, nq_open" in str(caught.value)


# --- the record ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["gone", "other questions", "not a question file"])
def test_a_recorded_run_uses_its_recorded_decisions_whatever_happened_to_the_file(tmp_path: Path, what: str) -> None:
    path = questions(tmp_path)
    before = record(tmp_path)
    if what == "gone":
        path.unlink()
    else:
        path.write_text('{"prompt": "Write a poem."}\n' if what == "other questions" else "\x00\x01")
    loaded, resolution = resolved(tmp_path, recorded=before)
    assert tree(loaded) == before.tree
    assert resolution.reasons == before.reasons


def test_a_file_is_read_again_until_questions_were_drawn(tmp_path: Path) -> None:
    questions(tmp_path)
    before = record(tmp_path, holds=False)
    (tmp_path / "questions.jsonl").write_text('{"query": "Why?", "target": "' + LONG + '"}\n')
    mine = resolved(tmp_path, recorded=before)[0].experiment.datasets["mine"].columns
    assert mine is not None
    assert mine.given == {"question": "query", "answers": "target"}


def test_a_file_deleted_before_questions_were_drawn_uses_the_recorded_decisions(tmp_path: Path) -> None:
    path = questions(tmp_path)
    before = record(tmp_path, holds=False)
    path.unlink()
    assert tree(resolved(tmp_path, recorded=before)[0]) == before.tree


def test_stating_the_decisions_explicitly_changes_nothing(tmp_path: Path) -> None:
    questions(tmp_path)
    before = record(tmp_path)
    stated = {
        "datasets": {"mine": {"path": "questions.jsonl", "format": "custom", "columns": {"question": "question"}}},
        "scorers": {"f1": None},
        "stop": ["\nQuestion:"],
    }
    loaded, resolution = resolved(tmp_path, stated, before)
    assert tree(loaded) == before.tree
    assert resolution.reasons == before.reasons


def test_another_path_is_a_new_source_and_is_recognised_again(tmp_path: Path) -> None:
    questions(tmp_path)
    before = record(tmp_path)
    (tmp_path / "other.jsonl").write_text('{"query": "Why?", "answer": "' + LONG + '"}\n')
    loaded, _ = resolved(tmp_path, {"datasets": {"mine": "other.jsonl"}}, before)
    mine = loaded.experiment.datasets["mine"].columns
    assert mine is not None
    assert mine.given["question"] == "query"


def test_other_questions_get_new_decisions_although_the_first_are_recorded(tmp_path: Path) -> None:
    questions(tmp_path)
    before = record(tmp_path)
    (tmp_path / "other.jsonl").write_text('{"question": "How many?", "choices": ["6", "8"], "answer": "8"}\n')
    loaded, _ = resolved(tmp_path, {"datasets": {"mine": "other.jsonl"}}, before)
    assert list(loaded.experiment.scorers or {}) == ["choice"]
    assert loaded.experiment.stats.primary == ("choice",)


def test_given_scorers_replace_recorded_ones_and_keep_the_other_decisions(tmp_path: Path) -> None:
    questions(tmp_path)
    before = record(tmp_path)
    loaded, resolution = resolved(tmp_path, {"scorers": {"f1": None, "em": None}}, before)
    assert list(loaded.experiment.scorers or {}) == ["f1", "em"]
    assert loaded.experiment.stats.primary == ("f1",)
    assert "scorers" not in resolution.reasons
    assert tree(loaded) | {"scorers": None} == dict(before.tree) | {"scorers": None}


def test_a_recorded_primary_endpoint_that_no_longer_runs_is_not_kept(tmp_path: Path) -> None:
    questions(tmp_path)
    loaded, _ = resolved(tmp_path, {"scorers": {"em": None}}, record(tmp_path))
    assert loaded.experiment.stats.primary == ("em",)


def test_scorers_removed_from_the_configuration_are_chosen_again(tmp_path: Path) -> None:
    questions(tmp_path)
    given = record(tmp_path, changes={"scorers": {"em": None, "f1": None}})
    loaded, _ = resolved(tmp_path, recorded=given)
    assert list(loaded.experiment.scorers or {}) == ["f1"]


def test_a_run_that_lost_its_configuration_copy_is_decided_again(tmp_path: Path) -> None:
    questions(tmp_path)
    before = record(tmp_path)
    loaded, resolution = resolved(tmp_path, recorded=Recorded({}, before.reasons, holds=True))
    assert tree(loaded) == before.tree
    assert resolution.reasons == before.reasons


def test_a_path_from_the_environment_is_never_recorded(tmp_path: Path) -> None:
    questions(tmp_path)
    path = write(tmp_path, MINIMAL | {"datasets": {"mine": "${QUESTIONS}"}})
    loaded, resolution = load_resolved(path, {"QUESTIONS": "questions.jsonl"})
    assert tree(loaded)["datasets"]["mine"]["path"] == "${QUESTIONS}"
    assert resolution.reasons["datasets/mine/format"] == "recognised in ${QUESTIONS}"
