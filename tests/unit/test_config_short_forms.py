"""A configuration of few lines: texts in place of sections, and optional keys of question files."""

from pathlib import Path

import pytest

from promptrial.config.effective import config_hash
from promptrial.design.trials import trials_of
from promptrial.errors import ConfigError
from tests.support.configs import base, complaint, loaded, tree_of


@pytest.mark.parametrize("model", ["", {"id": ""}])
def test_a_model_without_an_id_is_refused(tmp_path: Path, model: object) -> None:
    assert "models.m1" in complaint(tmp_path, {"models": {"m1": model}})


def test_a_model_given_as_a_text_is_its_id(tmp_path: Path) -> None:
    short = loaded(tmp_path, {"models": {"m1": "vendor/model-1"}})
    assert short.experiment.models["m1"].id == "vendor/model-1"
    assert config_hash(tree_of(short)) == config_hash(tree_of(loaded(tmp_path)))


class TestServersInFrontOfModels:
    """`openai/gpt-4o-mini` stands for an id and its provider."""

    @staticmethod
    def named(folder: Path, model: object, **changes: object) -> tuple[str | None, str]:
        found = loaded(folder, {"models": {"m1": model}, **changes}).experiment.models["m1"]
        return found.provider, found.id

    @pytest.mark.parametrize(
        ("text", "provider", "id_"),
        [
            ("openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
            ("openrouter/openai/gpt-4o-mini", "openrouter", "openai/gpt-4o-mini"),
            ("fireworks/accounts/me/models/tuned", "fireworks", "accounts/me/models/tuned"),
            ("mine/a model: with odd/words", "mine", "a model: with odd/words"),
            ("accounts/fireworks/models/x", None, "accounts/fireworks/models/x"),
            ("OpenAI/gpt-4o-mini", None, "OpenAI/gpt-4o-mini"),
            ("openai/", None, "openai/"),
            ("/gpt", None, "/gpt"),
            ("openai", None, "openai"),
        ],
    )
    def test_the_part_before_the_first_slash_is_a_server_if_one_has_that_name(
        self, tmp_path: Path, text: str, provider: str | None, id_: str
    ) -> None:
        servers = {"mine": {"type": "vllm"}}
        assert self.named(tmp_path, text, providers=servers) == (provider, id_)
        assert self.named(tmp_path, {"id": text}, providers=servers) == (provider, id_)

    def test_a_short_form_has_the_hash_of_its_long_form(self, tmp_path: Path) -> None:
        short = loaded(tmp_path, {"models": {"m1": "openai/gpt-4o-mini"}})
        long = loaded(tmp_path, {"models": {"m1": {"id": "gpt-4o-mini", "provider": "openai"}}})
        assert config_hash(tree_of(short)) == config_hash(tree_of(long))

    def test_a_model_with_a_provider_or_a_file_of_its_own_is_never_split(self, tmp_path: Path) -> None:
        assert self.named(tmp_path, {"id": "openai/gpt-oss-20b", "provider": "groq"}) == ("groq", "openai/gpt-oss-20b")
        assert self.named(tmp_path, {"id": "openai/gpt-oss-20b", "path": "x.gguf"}) == (None, "openai/gpt-oss-20b")

    @pytest.mark.parametrize("provider", ["openrouter", "groq", "mine"])
    def test_if_the_common_provider_has_ids_with_slashes_a_text_is_such_an_id(
        self, tmp_path: Path, provider: str
    ) -> None:
        servers = {"mine": {"type": "vllm"}}
        found = self.named(tmp_path, "openai/gpt-oss-20b", provider=provider, providers=servers)
        assert found == (None, "openai/gpt-oss-20b")

    @pytest.mark.parametrize("provider", ["embedded", "fireworks", "openai"])
    def test_a_model_can_have_its_own_provider_beside_the_common_one(self, tmp_path: Path, provider: str) -> None:
        assert self.named(tmp_path, "anthropic/claude-x", provider=provider) == ("anthropic", "claude-x")

    def test_the_value_of_a_variable_is_never_split(self, tmp_path: Path) -> None:
        env = {"MODEL": "openai/gpt-4o-mini", "ID": "gpt-4o-mini"}
        models = loaded(tmp_path, {"models": {"m1": "${MODEL}", "m2": "openai/${ID}"}}, env)
        found = models.experiment.models
        assert (found["m1"].provider, found["m1"].id) == (None, "openai/gpt-4o-mini")
        assert (found["m2"].provider, found["m2"].id) == ("openai", "gpt-4o-mini")
        assert tree_of(models)["models"]["m2"]["id"] == "${ID}"


def test_a_dataset_given_as_a_text_is_its_path(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, {"datasets": {"mine": "questions.csv"}}).experiment.datasets["mine"]
    assert (dataset.path, dataset.format, dataset.columns) == ("questions.csv", None, None)


def test_an_unknown_format_is_never_guessed(tmp_path: Path) -> None:
    dataset = loaded(tmp_path, {"datasets": {"mine": "questions.csv"}}).experiment.datasets["mine"]
    with pytest.raises(ConfigError, match=r"the format of questions\.csv is not known"):
        _ = dataset.known_format


def test_variables_in_short_forms_are_recorded_unresolved(tmp_path: Path) -> None:
    changes = {"models": {"m1": "${MODEL}"}, "datasets": {"mine": "${FILE}"}}
    config = loaded(tmp_path, changes, {"MODEL": "vendor/secret", "FILE": "/private/q.csv"})
    tree = tree_of(config)
    assert tree["models"]["m1"]["id"] == "${MODEL}"
    assert tree["datasets"]["mine"]["path"] == "${FILE}"
    (trial,) = trials_of(config.experiment, config.placeholders)
    assert (trial.model.id, trial.model.shown_id) == ("vendor/secret", "${MODEL}")


def test_columns_name_one_column_or_several_for_answers_and_choices(tmp_path: Path) -> None:
    columns = {"question": "Frage", "answers": ["Antwort 1", "Antwort 2"], "choices": ["A", "B"], "id": "nr"}
    dataset = loaded(tmp_path, {"datasets": {"mine": {"path": "q.csv", "columns": columns}}}).experiment.datasets[
        "mine"
    ]
    assert dataset.columns is not None
    assert dataset.columns.given == {
        "question": "Frage",
        "answers": ("Antwort 1", "Antwort 2"),
        "id": "nr",
        "choices": ("A", "B"),
    }


def test_keys_of_question_files_change_no_digest_while_they_are_not_given(tmp_path: Path) -> None:
    tree = tree_of(loaded(tmp_path))
    assert tree["datasets"]["questions"] == {"format": "custom", "path": "questions.jsonl", "hub": None, "size": None}


def test_given_columns_encoding_and_separator_are_recorded(tmp_path: Path) -> None:
    mine = {"path": "q.csv", "columns": {"question": "q"}, "encoding": "cp1252", "separator": ";"}
    recorded = tree_of(loaded(tmp_path, {"datasets": {"mine": mine}}))["datasets"]["mine"]
    assert recorded == {**mine, "format": None, "hub": None, "size": None}


@pytest.mark.parametrize("name", ["utf-9", "hex", "undefined", ""])
def test_a_codec_that_is_not_a_text_encoding_is_refused(tmp_path: Path, name: str) -> None:
    problem = complaint(tmp_path, base() | {"datasets": {"mine": {"path": "q.csv", "encoding": name}}})
    assert f"datasets.mine.encoding: unknown encoding {name!r}; for example utf-8" in problem


def test_an_unknown_column_role_is_answered_with_the_nearest(tmp_path: Path) -> None:
    problem = complaint(tmp_path, base() | {"datasets": {"mine": {"path": "q.csv", "columns": {"answer": "a"}}}})
    assert "datasets.mine.columns.answer: unknown key; did you mean 'answers'?" in problem


def test_a_model_that_is_neither_text_nor_section_says_what_is_expected(tmp_path: Path) -> None:
    assert "models.m1: expected the id of a model, or keys and values; given: 3" in complaint(
        tmp_path, base() | {"models": {"m1": 3}}
    )


@pytest.mark.parametrize("key", ["max_new_tokens", "sweep"])
def test_one_number_is_the_token_limit_of_both_kinds_of_question(tmp_path: Path, key: str) -> None:
    number, section = 24, {"open_book": 24, "closed_book": 24}
    short, long = ({key: value if key != "sweep" else {"max_new_tokens": [value]}} for value in (number, section))
    assert config_hash(tree_of(loaded(tmp_path, short))) == config_hash(tree_of(loaded(tmp_path, long)))
    (trial,) = trials_of(loaded(tmp_path, short).experiment)
    assert trial.max_new_tokens == {"open": 24, "closed": 24}


def test_a_wrong_token_limit_is_refused_once_and_says_both_forms(tmp_path: Path) -> None:
    assert complaint(tmp_path, {"max_new_tokens": 0}).count("max_new_tokens") == 1
    assert "expected a whole number, or keys and values; given: 'few'" in complaint(tmp_path, {"max_new_tokens": "few"})
    assert "given: True" in complaint(tmp_path, {"max_new_tokens": True})
