"""The text of a new configuration: it reads back to what it was made from, whatever names hold."""

from __future__ import annotations

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from promptrial.config.draft import Draft, DraftModel, Fitting, configuration_text, scalar

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)
MODEL = DraftModel("m", "m-1")


def draft(**changes: object) -> Draft:
    values: dict[str, object] = {
        "name": "t", "model": MODEL, "prompts": {"control": "a.txt", "treatment": "b.txt"}, "questions": "q.csv",
    }  # fmt: skip
    return Draft(**(values | changes))  # type: ignore[arg-type]


@given(TEXT)
@example("no")
@example("#1: 'täglich' {x} [y] & *z !w %v @u `t`.csv")
@example("~")
@example("1.5")
@example("a\u2028b")
@example("\U0001f600\x7f")
@example("- x")
@example("a: b")
@example("a #b")
def test_any_text_reads_back_unchanged(text: str) -> None:
    line = scalar(text)
    assert yaml.safe_load(f"key: {line}  # comment") == {"key": text}
    assert yaml.safe_load(f"key: {scalar({text: [text, 1, True, None]})}") == {"key": {text: [text, 1, True, None]}}
    assert len(line.splitlines()) == 1


def test_given_question_keys_override_recognised_ones_column_by_column() -> None:
    given_keys = {"columns": {"answers": "Antwort"}, "encoding": "cp1252"}
    found = Fitting({"format": "custom", "columns": {"question": "Frage", "answers": "x"}})
    tree = yaml.safe_load(configuration_text(draft(dataset=given_keys), found))
    assert tree["datasets"]["questions"] == {
        "path": "q.csv", "format": "custom", "columns": {"question": "Frage", "answers": "Antwort"},
        "encoding": "cp1252",
    }  # fmt: skip


@given(TEXT, TEXT)
def test_file_names_read_back_unchanged(prompt: str, questions: str) -> None:
    text = configuration_text(draft(prompts={"control": prompt, "treatment": "b.txt"}, questions=questions))
    tree = yaml.safe_load(text)
    assert tree["prompt_sets"]["main"]["control"] == prompt
    assert tree["datasets"]["questions"]["path"] == questions


def test_a_draft_says_what_was_found_in_at_most_25_lines_with_reasons() -> None:
    found = Fitting(
        {"format": "custom", "columns": {"question": "Q?", "answers": ["a 1", "a 2"]}, "encoding": "cp1252"},
        {"scorers": {"includes": {}, "em": {}}, "stats": {"primary": ["includes"]}, "stop": ["\nQ:"]},
        {"scorers": "short\nanswers", "columns": "a line that is long already", "stop": "ends"},
        "12 questions",
    )
    path = f"{'far/' * 12}q.csv"
    text = configuration_text(draft(shown="'my trial/x.yaml'", top={"limit_items": 30}, questions=path), found)
    tree = yaml.safe_load(text)
    assert tree["datasets"]["questions"] == {"path": path, **found.dataset}
    assert {key: tree[key] for key in found.top} == found.top
    assert tree["limit_items"] == 30
    assert len(text.splitlines()) <= 25
    assert "# short answers" in text
    assert "promptrial config show --config 'my trial/x.yaml'" in text


@given(TEXT)
@example("a\nb: c")
@example("\x07")
def test_a_file_name_cannot_break_the_comments_of_a_draft(shown: str) -> None:
    assert yaml.safe_load(configuration_text(draft(shown=shown))) == yaml.safe_load(configuration_text(draft()))


def test_one_treatment_is_written_directly_and_several_under_their_names() -> None:
    assert yaml.safe_load(configuration_text(draft()))["prompt_sets"]["main"] == {
        "control": "a.txt", "treatment": "b.txt",
    }  # fmt: skip
    several = draft(prompts={"control": "a.txt", "brief": "b.txt", "treatment": "c.txt"})
    assert yaml.safe_load(configuration_text(several))["prompt_sets"]["main"] == {
        "control": "a.txt", "treatments": {"brief": "b.txt", "treatment": "c.txt"},
    }  # fmt: skip


def test_a_model_is_written_as_its_id_or_with_a_file_or_provider() -> None:
    def models(model: DraftModel) -> object:
        return yaml.safe_load(configuration_text(draft(model=model)))["models"]

    assert models(MODEL) == {"m": "m-1"}
    assert models(DraftModel("m", "m", path="../my m.gguf")) == {"m": {"id": "m", "path": "../my m.gguf"}}
    assert models(DraftModel("m", "a/b", "fireworks")) == {"m": {"id": "a/b", "provider": "fireworks"}}


def test_a_server_is_written_with_its_keys_before_the_models() -> None:
    server = (("base_url", "http://127.0.0.1:8113/v1"), ("mode", "live"))
    tree = yaml.safe_load(configuration_text(draft(model=DraftModel("m", "name", "llamacpp", server=server))))
    assert tree["providers"] == {"llamacpp": dict(server)}
    assert tree["models"] == {"m": {"id": "name", "provider": "llamacpp"}}
