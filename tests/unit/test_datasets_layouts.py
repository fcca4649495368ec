"""What known layouts make of single rows: the right choice, several answers, conversations, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptrial import registry
from promptrial.datasets.base import DatasetFormat, Reading
from promptrial.datasets.content_ids import has_content_id
from promptrial.datasets.type_words import in_words
from promptrial.errors import DataError
from promptrial.model import Item, Message


def read(name: str, path: Path, *rows: object, columns: dict[str, str] | None = None) -> tuple[list[Item], list[str]]:
    """Return the items of rows in a format, and what was said."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    format_: DatasetFormat = registry.load("dataset format", name)
    said: list[str] = []
    return list(format_.read(path, "mine", reading=Reading(columns=columns or {}, say=said.append))), said


def refusal(name: str, path: Path, *rows: object) -> str:
    with pytest.raises(DataError) as caught:
        read(name, path, *rows)
    return caught.value.message.replace(str(path), "FILE")


HELLASWAG = {"ctx": "Q", "endings": ["a", "b"], "label": "1"}
ARC = {"question": "Q?", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"}


@pytest.mark.parametrize(
    ("name", "row", "right"),
    [
        ("hellaswag", HELLASWAG, "b"),
        ("hellaswag", HELLASWAG | {"label": 0}, "a"),
        ("piqa", {"goal": "Q", "sol1": "a", "sol2": "b", "label": 1}, "b"),
        ("winogrande", {"sentence": "Q", "option1": "a", "option2": "b", "answer": "1"}, "a"),
        ("winogrande", {"sentence": "Q", "option1": "a", "option2": "b", "answer": 2}, "b"),
        ("arc", ARC, "b"),
        ("arc", ARC | {"answerKey": "A"}, "a"),
        ("inspect", {"input": "Q", "choices": ["a", "b"], "target": "b"}, "b"),
        ("inspect", {"input": "Q", "choices": ["x", "B"], "target": "A"}, "x"),
        ("truthfulqa", {"question": "Q", "mc1_targets": {"choices": ["a", "b"], "labels": [0, 1]}}, "b"),
    ],
)
def test_the_right_choice_is_its_text(tmp_path: Path, name: str, row: dict[str, Any], right: str) -> None:
    ((item,), _) = read(name, tmp_path / "q.jsonl", row)
    assert item.answers == (right,)
    assert len(item.choices) == 2


def test_a_hash_of_the_question_decides_the_order_of_truthfulqa_choices(tmp_path: Path) -> None:
    texts = [f"choice {number}" for number in range(4)]
    rows = [
        {"question": f"Q{number}?", "mc1_targets": {"choices": texts, "labels": [1, 0, 0, 0]}} for number in range(200)
    ]
    items, _ = read("truthfulqa", tmp_path / "q.jsonl", *rows)
    assert {item.answers for item in items} == {("choice 0",)}
    letters = Counter(item.choices.index("choice 0") for item in items)
    assert min(letters[place] for place in range(4)) >= 30
    assert {frozenset(item.choices) for item in items} == {frozenset(texts)}
    assert all(has_content_id(item) for item in items), "the id covers what is asked"
    turned = [{**row, "mc1_targets": {"choices": texts[::-1], "labels": [0, 0, 0, 1]}} for row in rows]
    assert read("truthfulqa", tmp_path / "q.jsonl", *turned)[0] == items, "whatever the order in the file"
    named, _ = read("truthfulqa", tmp_path / "q.jsonl", *({**row, "id": "x1"} for row in rows[:1]))
    again, _ = read("truthfulqa", tmp_path / "q.jsonl", {**rows[1], "id": "x1"})
    assert named[0].choices == again[0].choices, "by the id, if there is one"
    logged = [{"doc_id": at, "doc": row, "target": 0, "arguments": []} for at, row in enumerate(rows)]
    assert read("lm_eval_samples", tmp_path / "q.jsonl", *logged)[0] == items


def test_the_order_of_the_file_is_kept_for_runs_that_have_it(tmp_path: Path) -> None:
    row = {"question": "Q?", "mc1_targets": {"choices": ["c", "b", "a"], "labels": [1, 0, 0]}}
    (tmp_path / "q.jsonl").write_text(json.dumps(row))
    format_: DatasetFormat = registry.load("dataset format", "truthfulqa")
    (item,) = format_.read(tmp_path / "q.jsonl", "mine", reading=Reading(file_order=True))
    assert item.choices == ("c", "b", "a")


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("hellaswag", HELLASWAG | {"label": ""}),
        ("piqa", {"goal": "Q", "sol1": "a", "sol2": "b", "label": -1}),
        ("arc", ARC | {"answerKey": ""}),
        ("boolq", {"question": "Q", "passage": "P", "label": -1}),
        ("hotpotqa", {"id": "1", "question": "Q", "context": {"title": ["t"], "sentences": [["s"]]}}),
        ("instructions", {"instruction": "Q", "input": "", "output": ""}),
        ("ragas", {"user_input": "Q", "reference": None}),
        ("inspect", {"input": [{"role": "user", "content": "Q"}]}),
    ],
)
def test_a_row_that_hides_its_answer_is_a_question_without_a_gold(
    tmp_path: Path, name: str, row: dict[str, Any]
) -> None:
    ((item,), _) = read(name, tmp_path / "q.jsonl", row)
    assert not item.has_gold


@pytest.mark.parametrize(
    ("name", "row", "problem"),
    [
        ("hellaswag", HELLASWAG | {"label": "2"}, "the right choice is 2, but there are 2 choices, counted from 0"),
        ("hellaswag", HELLASWAG | {"label": "b"}, "the right choice is 'b', which is not a whole number"),
        (
            "winogrande",
            {"sentence": "Q", "option1": "a", "option2": "b", "answer": "0"},
            "the right choice is 0, but there are 2 choices, counted from 1",
        ),
        ("arc", ARC | {"answerKey": "C"}, "the right choice is 'C', but the labels are A, B"),
        ("arc", ARC | {"choices": {"text": ["a"], "label": ["A", "B"]}}, "1 choices and 2 labels"),
        ("arc", ARC | {"choices": {"text": ["a"]}}, "`choices.label` is missing"),
        ("inspect", {"input": "Q", "choices": ["a"], "target": "B"}, "the target 'B' is neither a letter"),
        (
            "truthfulqa",
            {"question": "Q", "best_answer": 3, "correct_answers": []},
            "`best_answer` is a number, and should be a text",
        ),
        ("coqa", {"story": "S", "questions": ["a", "b"], "answers": {"input_text": ["x"]}}, "2 questions has 1 answ"),
        ("gsm8k", {"question": "Q", "answer": "20"}, "`answer` is a text that does not match ####"),
        ("openai_chat", {"input": [], "ideal": "x"}, "the messages do not end with a question of the user"),
        (
            "openai_chat",
            {"input": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "ideal": "x"},
            "the messages end with an answer of the assistant, but there is also an `ideal`",
        ),
        (
            "openai_chat",
            {"input": [{"role": "tool", "content": "Q"}], "ideal": "x"},
            "a message of the role 'tool'; only system, user and assistant can be sent",
        ),
        (
            "openai_chat",
            {"input": [{"role": "user", "content": [{"type": "image_url"}]}], "ideal": "x"},
            "a message of the role 'user' holds image_url; only texts can be sent",
        ),
        ("promptfoo", {"vars": {"a": "x", "b": "y"}}, "no variable is recognised as the question; the var"),
        ("promptfoo", {"vars": {"question": ["x", "y"]}}, "the variable 'question' is a list, which"),
        ("promptfoo", {"vars": {"question": "file://a"}}, "the variable 'question' names a file (file://a)"),
        ("svamp", {"Body": "B", "Question": " ", "Answer": {}}, "`Answer` is an object, and should be"),
        ("lm_eval_samples", {"doc_id": 1, "doc": {"x": 1}, "target": "a"}, "`arguments` is missing"),
    ],
)
def test_an_error_in_a_row_is_explained_in_plain_words(
    tmp_path: Path, name: str, row: dict[str, Any], problem: str
) -> None:
    message = refusal(name, tmp_path / "q.jsonl", row)
    assert message.startswith("FILE:1: ")
    assert problem in message


def test_a_sample_without_a_known_question_lists_its_fields_and_columns_can_name_one(tmp_path: Path) -> None:
    row = {"doc_id": 1, "doc": {"premise": "Is it so?", "n": 3}, "target": "yes", "arguments": []}
    with pytest.raises(DataError) as caught:
        read("lm_eval_samples", tmp_path / "q.jsonl", row)
    assert "the columns are 'premise', 'n'" in caught.value.message
    assert "`columns: {question: premise, answers: n}`" in str(caught.value.hint)
    ((item,), _) = read("lm_eval_samples", tmp_path / "q.jsonl", row, columns={"question": "premise"})
    assert (item.question, item.answers, item.extra) == ("Is it so?", ("yes",), {"n": "3"})


def test_columns_name_the_variables_of_promptfoo(tmp_path: Path) -> None:
    row = {"vars": {"place": "Where?", "text": "Here."}, "assert": [{"type": "equals", "value": True}]}
    columns = {"question": "place", "context": "text"}
    ((item,), _) = read("promptfoo", tmp_path / "q.jsonl", row, columns=columns)
    assert (item.question, item.context, item.answers) == ("Where?", "Here.", ("true",))
    with pytest.raises(DataError, match=r"no variable 'x', which `columns.question` names; they are: place, text"):
        read("promptfoo", tmp_path / "q.jsonl", row, columns={"question": "x"})


@pytest.mark.parametrize(
    ("assertions", "answers", "unused"),
    [
        ([("equals", "a")], ("a",), []),
        ([("icontains-any", ["a", 2])], ("a", "2"), []),
        ([("similar", "a"), ("latency", None)], ("a",), ["latency (1)"]),
        ([("contains-all", ["a", "b"])], (), ["contains-all (1)"]),
        ([("not-contains", "a"), ("contains", "b")], ("b",), ["not-contains (1)"]),
        ([("equals", {"a": 1}), ("equals", "file://x"), ("is-json", None)], (), ["equals (2), is-json (1)"]),
        ([("contains", "{{ name }}!")], ("Ida!",), []),
        ([("contains", "{{ name | upper }}"), ("contains", "{{other}}")], (), ["contains (2)"]),
    ],
)
def test_an_assertion_becomes_accepted_answers_or_is_counted(
    tmp_path: Path, assertions: list[tuple[str, object]], answers: tuple[str, ...], unused: list[str]
) -> None:
    listed = [{"type": kind, "value": value} for kind, value in assertions]
    ((item,), said) = read(
        "promptfoo", tmp_path / "q.jsonl", {"vars": {"question": "Q", "name": "Ida"}, "assert": listed}
    )
    assert item.answers == answers
    assert said == [
        f"assertions that cannot be expressed as accepted answers, which are not used: {text}" for text in unused
    ]


def test_an_additional_assertion_is_counted(tmp_path: Path) -> None:
    listed = [{"type": "contains", "value": "a"}, {"type": "contains", "value": "b"}, {"type": "equals", "value": "a"}]
    ((item,), said) = read("promptfoo", tmp_path / "q.jsonl", {"vars": {"question": "Q"}, "assert": listed})
    assert item.answers == ("a",)
    (sentence,) = said
    assert sentence.startswith("further assertions of a test")
    assert sentence.endswith("are not used: contains (1)")


def test_cells_of_promptfoo_name_their_assertion_or_are_the_text_that_an_answer_equals(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text(
        "question,__expected,__prefix,__suffix\n"
        "Q1?,similar(0.8): a: b,,\n"
        "Q2?,note: this,Say: ,!\n"
        'Q3?,"contains-any: x, y",,\n'
        "Q4?,fn: output.length,,\n"
    )
    format_: DatasetFormat = registry.load("dataset format", "promptfoo")
    said: list[str] = []
    items = list(format_.read(tmp_path / "q.csv", "mine", reading=Reading(say=said.append)))
    assert [item.answers for item in items] == [("a: b",), ("note: this",), ("x", "y"), ()]
    assert [item.question for item in items] == ["Q1?", "Say: Q2?!", "Q3?", "Q4?"]
    assert said == ["assertions that cannot be expressed as accepted answers, which are not used: javascript (1)"]


def test_the_turns_before_the_question_are_kept_and_messages_of_the_system_are_not_sent(tmp_path: Path) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "Q?"},
    ]
    ((item,), said) = read("openai_chat", tmp_path / "q.jsonl", {"messages": messages, "ideal": [1, "one"]})
    assert item.messages == (Message("user", "Hello\nthere"), Message("assistant", "Hi."))
    assert (item.question, item.answers, item.extra) == ("Q?", ("1", "one"), {"system": "Be brief."})
    assert len(said) == 1
    assert said[0].endswith("(the arms set the system prompt): 1")


def test_messages_beside_a_question_are_the_turns_before_it_and_not_a_chat_row(tmp_path: Path) -> None:
    from promptrial.datasets.recognising import recognise

    turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]
    for row in ({"messages": turns, "question": "Q?", "answer": "a"}, {"messages": turns, "prompt": "Q?"}):
        (tmp_path / "q.jsonl").write_text(json.dumps(row))
        assert recognise(tmp_path / "q.jsonl").format == "custom"


def test_several_right_choices_of_a_sample_are_counted(tmp_path: Path) -> None:
    row = {"input": "Q?", "choices": ["a", "b", "c"], "target": ["A", "C"]}
    ((item,), said) = read("inspect", tmp_path / "q.jsonl", row)
    assert item.answers == ("a", "c")
    assert said == ["questions with several right choices, each of which is accepted: 1"]


def test_metadata_and_other_keys_are_kept_unless_they_are_too_long(tmp_path: Path) -> None:
    row = {"input": "Q?", "target": "a", "metadata": {"x": 1, "y": None, "z": [1]}, "more": "m", "long": "l" * 70_000}
    items, said = read("inspect", tmp_path / "q.jsonl", row, row | {"input": "R?"})
    assert [item.extra for item in items] == [{"x": "1", "z": "[1]", "more": "m"}] * 2
    assert said == ["values longer than 65,536 characters, which are not kept: long (2)"]


def test_an_answer_with_several_spans_is_one_text_in_the_drop_file_and_several_in_the_hub_rows(
    tmp_path: Path,
) -> None:
    pair = {"question": "Q?", "query_id": "1", "answer": {"number": "", "date": {}, "spans": ["a", "b"]}}
    ((item,), said) = read("drop", tmp_path / "q.jsonl", {"passage": "P", "qa_pairs": [pair]})
    assert (item.answers, len(said)) == (("a, b",), 1)
    row = {"passage": "P", "question": "Q?", "answers_spans": {"spans": ["a", "b", "a"], "types": []}}
    ((item,), said) = read("drop", tmp_path / "q.jsonl", row)
    assert item.answers == ("a", "b")
    assert said == ["questions with several answer spans, each of which is accepted: 1"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_an_official_document_can_be_compressed_and_in_utf16(tmp_path: Path, encoding: str) -> None:
    import gzip

    source = Path(__file__).parents[1] / "data/questions/squad_v2.json"
    packed = tmp_path / "q.json.gz"
    packed.write_bytes(gzip.compress(source.read_text(encoding="utf-8").encode(encoding)))
    format_: DatasetFormat = registry.load("dataset format", "squad_v2")
    assert list(format_.read(packed, "mine")) == list(format_.read(source, "mine"))
    assert format_.rules([packed], Reading()) == format_.rules([source], Reading())


def test_integer_ids_of_the_official_file_become_text() -> None:
    path = Path(__file__).parents[1] / "data/questions/cases/integer_ids.squad.json"
    format_: DatasetFormat = registry.load("dataset format", "squad_v2")
    assert [(item.id, item.answers) for item in format_.read(path, "mine")] == [("7", ("1822",))]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("Expected `str`, got `int` - at `$.answer[0]`", "`answer[0]` is a number, and should be a text"),
        ("Expected `float | int | null`, got `object` - at `$.a`", "`a` is an object, and should be a number"),
        ("Expected `object`, got `array`", "this is a list, and should be an object"),
        ("Object missing required field `text` - at `$.answers`", "`answers.text` is missing"),
        ("Object missing required field `text`", "`text` is missing"),
        ("Expected `array` of length 2 - at `$[1]`", "Expected `array` of length 2 - at `$[1]`"),
    ],
)
def test_a_type_error_is_explained_in_plain_words(message: str, words: str) -> None:
    assert in_words(msgspec.ValidationError(message)) == words


def test_rows_of_squad_that_all_have_answers_are_version_1_and_one_without_makes_them_version_2(tmp_path: Path) -> None:
    format_: DatasetFormat = registry.load("dataset format", "squad_v2")
    row = {"id": 1, "context": "C", "question": "Q?", "answers": {"text": ["C"], "answer_start": [0]}}
    path = tmp_path / "q.jsonl"
    read("squad_v2", path, row)
    assert format_.rules([path], Reading()) == "squad_v1"
    ((_, item), _) = read("squad_v2", path, row, row | {"id": 2, "answers": {"text": [], "answer_start": []}})
    assert item.is_unanswerable
    assert format_.rules([path], Reading()) is None


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("ragas", {"user_input": "Q?", "retrieved_contexts": ["got", "more"], "reference_contexts": ["gold"]}),
        (
            "deepeval",
            {"input": "Q?", "expected_output": "a", "retrieval_context": ["got", "more"], "context": ["gold"]},
        ),
    ],
)
def test_the_passage_is_the_retrieved_text_or_else_that_of_the_golden(
    tmp_path: Path, name: str, row: dict[str, Any]
) -> None:
    retrieved = next(key for key in row if key.startswith("retriev"))
    ((item,), _) = read(name, tmp_path / "q.jsonl", row)
    assert item.context == "got\n\nmore"
    ((item,), _) = read(name, tmp_path / "q.jsonl", row | {retrieved: None})
    assert item.context == "gold"


def test_earlier_answers_of_an_application_are_neither_gold_nor_kept(tmp_path: Path) -> None:
    row = {"question": "Q?", "answer": "wrong", "contexts": ["c"], "ground_truth": "right", "level": "easy"}
    ((item,), _) = read("ragas", tmp_path / "q.jsonl", row)
    assert (item.answers, item.extra) == (("right",), {"level": "easy"})


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_the_default_test_of_a_configuration_is_part_of_every_test(tmp_path: Path, suffix: str) -> None:
    config = {
        "providers": [{"id": "a"}],
        "defaultTest": {
            "vars": {"style": "short", "gold": "x"},
            "assert": [{"type": "contains", "value": "{{gold}}"}, {"type": "cost", "threshold": 1}],
            "metadata": {"level": "easy"},
        },
        "tests": [
            {"vars": {"question": "Q1?", "gold": "y"}, "description": "first"},
            {"vars": {"question": "Q2?"}, "metadata": {"level": "hard"}, "threshold": 0.5},
        ],
    }
    path = tmp_path / f"q.{suffix}"
    path.write_text(json.dumps(config, indent=1))  # which is YAML too
    format_: DatasetFormat = registry.load("dataset format", "promptfoo")
    said: list[str] = []
    first, second = format_.read(path, "mine", reading=Reading(say=said.append))
    assert (first.answers, first.extra) == (
        ("y",),
        {"style": "short", "gold": "y", "level": "easy", "description": "first"},
    )
    assert (second.answers, second.extra) == (("x",), {"style": "short", "gold": "x", "level": "hard"})
    assert said == [
        "assertions that cannot be expressed as accepted answers, which are not used: cost (2)",
        "tests with keys that say how promptfoo runs them, which are not used: threshold (1)",
    ]


def test_values_of_tests_in_yaml_are_text_as_written(tmp_path: Path) -> None:
    text = "defaultTest: {vars: {unit: NO}}\ntests:\n"
    for number, value in enumerate(["yes", "12:30", "010", "NO", "1_000"]):
        text += f"- vars: {{question: Q{number}?}}\n  assert: [{{type: equals, value: {value}}}]\n"
    (tmp_path / "q.yaml").write_text(text)
    format_: DatasetFormat = registry.load("dataset format", "promptfoo")
    items = list(format_.read(tmp_path / "q.yaml", "mine"))
    assert [item.answers for item in items] == [("yes",), ("12:30",), ("010",), ("NO",), ("1_000",)]
    assert items[0].extra == {"unit": "NO"}


def test_samples_of_several_tasks_in_one_file_are_all_read(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"doc_id": 0, "doc": {"question": question, "answer": "x"}, "target": "x", "arguments": [], "filter": name}
        for question in ("A?", "B?")
        for name in ("strict", "flexible")
    ]
    path = tmp_path / "samples_x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    format_: DatasetFormat = registry.load("dataset format", "lm_eval_samples")
    said: list[str] = []
    items = list(format_.read(path, "mine", reading=Reading(say=said.append)))
    assert [item.question for item in items] == ["A?", "B?"]
    assert said == ["samples of a question under another filter, read once: 2"]


def test_the_same_question_with_another_target_is_not_taken_for_another_filter(tmp_path: Path) -> None:
    sample = {"doc_id": 0, "doc": {"question": "Q?"}, "arguments": []}
    path = tmp_path / "samples_x.jsonl"
    path.write_text("".join(json.dumps({**sample, "target": target}) + "\n" for target in "xy"))
    format_: DatasetFormat = registry.load("dataset format", "lm_eval_samples")
    with pytest.raises(DataError, match=r"samples_x\.jsonl:2: the same question as at .*samples_x\.jsonl:1"):
        list(format_.read(path, "mine"))


def test_a_default_test_in_another_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "q.yaml").write_text("defaultTest: file://x.yaml\ntests:\n- vars: {question: Q?}\n")
    format_: DatasetFormat = registry.load("dataset format", "promptfoo")
    said: list[str] = []
    list(format_.read(tmp_path / "q.yaml", "mine", reading=Reading(say=said.append)))
    assert said == ["`defaultTest` names a file, which is not read"]


def test_the_setup_of_an_inspect_sample_is_counted(tmp_path: Path) -> None:
    row = {"input": "Q?", "target": "a", "sandbox": "docker", "files": {"a": "b"}}
    ((item, _), said) = read("inspect", tmp_path / "q.jsonl", row, {"input": "R?", "target": "b"})
    assert item.extra == {}
    assert said == ["samples with a sandbox, files or a setup, which are not used: 1"]


def test_the_hubs_shards_of_a_layout_are_one_set(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    for at, path in enumerate(paths):
        pq.write_table(pa.Table.from_pylist([ARC | {"id": f"a{at}"}]), path)
    format_: DatasetFormat = registry.load("dataset format", "arc")
    assert [item.id for _, item in format_.placed(paths, "mine")] == ["a0", "a1"]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("boolq", {"question": "Q", "passage": "P", "answer": True}),
        ("truthfulqa", {"question": "Q?", "best_answer": "a", "correct_answers": ["b"]}),
        ("gsm8k", {"question": "Q?", "answer": "#### 8"}),
        ("piqa", {"goal": "G", "sol1": "a", "sol2": "b", "label": 1}),
        ("instructions", {"instruction": "I", "input": "", "output": "O"}),
    ],
)
def test_in_layouts_without_ids_the_id_of_a_row_comes_from_its_question(
    tmp_path: Path, name: str, row: dict[str, object]
) -> None:
    (item,), _ = read(name, tmp_path / "q.jsonl", row | {"id": 3, "level": "hard"})
    assert (item.id, item.extra) == ("3", {"level": "hard"})
    (item,), _ = read(name, tmp_path / "q.jsonl", row | {"QID": "x1", "id": None})
    assert (item.id, item.extra) == ("x1", {})
    (item,), _ = read(name, tmp_path / "q.jsonl", row)
    assert item.id.startswith("q")
    assert len(item.id) == 17


# --- columns beside those of official formats -------------------------------------------------------------------------

_OFFICIAL: dict[str, dict[str, object]] = {
    "squad_v2": {"id": "a", "question": "Q?", "context": "C", "answers": {"text": ["x"], "answer_start": [0]}},
    "nq_open": {"question": "Q?", "answer": ["x"]},
    "triviaqa": {
        "question": "Q?",
        "question_id": "a",
        "answer": {"value": "x", "aliases": ["x"], "normalized_aliases": ["x"]},
    },
}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", _OFFICIAL)
def test_other_columns_of_official_rows_are_kept_on_request(tmp_path: Path, name: str, ending: str) -> None:
    rows = [_OFFICIAL[name] | {"title": "Normans", "level": 3, "note": "n"}]
    path = tmp_path / f"q.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    format_: DatasetFormat = registry.load("dataset format", name)
    (plain,) = format_.read(path, "mine")
    (item,) = format_.read(path, "mine", reading=Reading(keep=frozenset({"title", "level", "question", "other"})))
    assert plain.extra == {}
    assert item == msgspec.structs.replace(plain, extra={"title": "Normans", "level": "3"})


@pytest.mark.parametrize("target", ["B", "b", "(B)", "B.", " b "])
def test_letters_and_choices_of_a_sample_are_read_as_in_a_table(tmp_path: Path, target: str) -> None:
    row = {"input": "Q?", "target": target, "choices": json.dumps(["x", 8, True])}
    ((item,), _) = read("inspect", tmp_path / "q.jsonl", row)
    table = {"question": "Q?", "answer": target, "choices": ["x", 8, True]}
    ((same,), _) = read("custom", tmp_path / "t.jsonl", table)
    assert (item.choices, item.answers) == (same.choices, same.answers) == (("x", "8", "true"), ("8",))
