"""The templates of user messages: given whole, by key or not at all, for the experiment or for one arm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptrial.config.effective import config_hash, to_yaml
from promptrial.config.loading import load_config
from promptrial.design.trials import trials_of
from promptrial.errors import ConfigError
from promptrial.model import TaskTemplates
from promptrial.model.templates import DEFAULT_TEXTS
from tests.support.configs import base, loaded, tree_of, write

BOTH = {"open_book": "open.txt", "closed_book": "closed.txt"}
OWN_CHOICES = {"closed_book_choices": {"text": "{question} {choices}"}}


def without() -> dict[str, Any]:
    return {key: value for key, value in base().items() if key != "task_instructions"}


def templates(folder: Path, instructions: object, own: object = None) -> tuple[TaskTemplates, ...]:
    """Return the templates of both arms; those of an own section are the treatment's."""
    treatment = {"path": "treatment.txt"} | ({} if own is None else {"task_instructions": own})
    config = without() | {"prompt_sets": {"main": {"control": "control.txt", "treatment": treatment}}}
    config |= {} if instructions is None else {"task_instructions": instructions}
    (trial,) = trials_of(load_config(write(folder, config), {}).experiment)
    return tuple(arm.templates for arm in trial.arms)


def refused(folder: Path, instructions: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, {"task_instructions": instructions})
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("given", [None, {}, {"open_book": None}])
def test_without_templates_the_packaged_ones_are_sent(tmp_path: Path, given: object) -> None:
    assert templates(tmp_path, given) == (TaskTemplates(**DEFAULT_TEXTS),) * 2


def test_giving_one_template_leaves_the_others_as_packaged(tmp_path: Path) -> None:
    first, _ = templates(tmp_path, {"closed_book": "closed.txt"})
    assert first == TaskTemplates(**DEFAULT_TEXTS | {"closed_book": "Question: {question}"})


def test_an_arm_can_give_one_template_and_uses_the_others_of_the_experiment(tmp_path: Path) -> None:
    first, second = templates(tmp_path, BOTH | OWN_CHOICES, {"closed_book": {"text": "Own: {question}"}})
    assert first.closed_book == "Question: {question}"
    assert (second.closed_book, second.open_book) == ("Own: {question}", first.open_book)
    assert second.closed_book_choices == first.closed_book_choices == "{question} {choices}"


def recorded(folder: Path) -> Path:
    """Write what a run would record of the configuration in a folder; return its path."""
    (folder / "run").mkdir(exist_ok=True)
    path = folder / "run" / "effective_config.yaml"
    path.write_bytes(to_yaml(tree_of(load_config(folder / "eval.yaml", {}))))
    return path


def test_an_arm_can_return_to_a_packaged_template(tmp_path: Path) -> None:
    packaged = {"closed_book_choices": {"text": DEFAULT_TEXTS["closed_book_choices"]}}
    first, second = templates(tmp_path, BOTH | OWN_CHOICES, packaged)
    assert first.closed_book_choices == "{question} {choices}"
    assert second.closed_book_choices == DEFAULT_TEXTS["closed_book_choices"]
    (read_again,) = trials_of(load_config(recorded(tmp_path), {}).experiment)
    assert [arm.templates for arm in read_again.arms] == [first, second]


def test_recorded_templates_read_back_unchanged(tmp_path: Path) -> None:
    write(tmp_path, without() | {"task_instructions": OWN_CHOICES})
    tree = tree_of(load_config(recorded(tmp_path), {}))
    assert tree == tree_of(load_config(tmp_path / "eval.yaml", {}))
    assert list(tree["task_instructions"]) == ["open_book", "closed_book", "closed_book_choices"]


def test_packaged_templates_of_choices_are_not_recorded_so_that_older_configurations_keep_their_hash(
    tmp_path: Path,
) -> None:
    before = tree_of(loaded(tmp_path))
    assert list(before["task_instructions"]) == ["open_book", "closed_book"]
    given = {"closed_book_choices": {"text": DEFAULT_TEXTS["closed_book_choices"] + "\n"}}
    assert config_hash(tree_of(loaded(tmp_path, {"task_instructions": BOTH | given}))) == config_hash(before)
    assert config_hash(tree_of(loaded(tmp_path, {"task_instructions": BOTH | OWN_CHOICES}))) != config_hash(before)


def test_the_packaged_templates_are_recorded_with_their_text_where_none_is_given(tmp_path: Path) -> None:
    tree = tree_of(load_config(write(tmp_path, without()), {}))
    assert tree["task_instructions"]["closed_book"]["text"] == DEFAULT_TEXTS["closed_book"]
    assert len(tree["task_instructions"]["open_book"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("closed_book_choices", "{question}", "must hold {choices} exactly once"),
        ("closed_book_choices", "{context}{question}{choices}", "must hold {context} nowhere"),
        ("open_book_choices", "{question}{choices}", "must hold {context} exactly once"),
        ("closed_book", "{question}{choices}", "must hold {choices} nowhere"),
        (
            "closed_book",
            "{query}",
            "must hold {question} exactly once; {query} is not a placeholder; did you mean {quest",
        ),
        ("closed_book", "{question} {options}", "{options} is not a placeholder; did you mean {choices}?"),
        ("closed_book", "{question} {Question}", "{Question} is not a placeholder; did you mean {question}?"),
        (
            "closed_book",
            "Q: {{ question }} {question}",
            "{{question}} would be sent with braces around the text; write {qu",
        ),
        (
            "open_book",
            "{{context}} {question}",
            "{{context}} would be sent with braces around the text; write {context}",
        ),
    ],
)
def test_a_template_must_have_the_placeholders_of_its_kind_and_no_misspelling(
    tmp_path: Path, kind: str, text: str, said: str
) -> None:
    message = refused(tmp_path, BOTH | {kind: {"text": text}})
    assert message.startswith("eval.yaml:")
    assert f"task_instructions.{kind}" in message
    assert said in message


@pytest.mark.parametrize("text", ['{question} {name} {"a": {question_id}}', "{question} \\boxed{input} f{input}"])
def test_other_words_in_braces_are_plain_text(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, {"task_instructions": BOTH | {"closed_book": {"text": text}}})


def test_a_recorded_template_is_used_as_it_was_sent(tmp_path: Path) -> None:
    entry = loaded(tmp_path).experiment.task_instructions.given["closed_book"].with_text("{{question}}")
    given = {"closed_book": {"text": entry.text, "sha256": entry.sha256}}
    assert loaded(tmp_path, {"task_instructions": BOTH | given})
