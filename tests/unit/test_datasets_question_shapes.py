"""Made-up files after public layouts: each is recognised and read without a configuration, or says what to write.

``tests/data/questions/shapes/expected.json`` holds, for each file, the format, and the items as they must come out; an
item without an id there is one whose id is made from its content.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from promptrial import registry
from promptrial.datasets.base import DatasetFormat, Reading
from promptrial.datasets.recognising import recognise
from promptrial.engine.question_files import read_items
from promptrial.engine.resolving import load_resolved
from promptrial.errors import DataError
from promptrial.model import Item
from promptrial.phases.prepared import encode_item
from promptrial.registry import DATASETS, DEFAULT_PACK, SCORERS
from promptrial.scoring.normalize import rules_for

SHAPES: Final = Path(__file__).parents[1] / "data/questions/shapes"
EXPECTED: Final[dict[str, Any]] = json.loads((SHAPES / "expected.json").read_text(encoding="utf-8"))
MADE: Final = re.compile(r"q[0-9a-f]{16}")
REFUSED: Final = {
    "headerless_mmlu.csv": "the first line looks like a question: add a line with the names of the columns above it",
    "excel_export.csv": "if it is in 'Frage', write `columns: {question: Frage, answers: Antwort}` in the section",
}
"""The messages for files that need an entry in the configuration."""


def load(path: Path, columns: dict[str, Any] | None = None) -> tuple[list[Item], list[str]]:
    """Return the items of a file and what was said of it while it was read."""
    found = recognise(path, columns=columns)
    format_: DatasetFormat = registry.load("dataset format", found.format)
    said: list[str] = []
    return list(
        format_.read(path, "mine", reading=Reading(columns=found.columns, note=said.append, say=said.append))
    ), said


def row_of(item: Item) -> dict[str, Any]:
    """Return an item as the expectations hold it."""
    row: dict[str, Any] = json.loads(encode_item(item))
    del row["dataset"]
    if MADE.fullmatch(item.id):
        del row["id"]
    if not item.is_unanswerable:
        row.pop("is_unanswerable", None)
    return row


def test_every_generated_file_has_an_expectation_or_a_refusal_and_there_are_at_least_19() -> None:
    files = {path.name for path in SHAPES.iterdir()} - {"expected.json"}
    assert files == EXPECTED.keys() | REFUSED.keys()
    assert len(files - REFUSED.keys()) >= 19


@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_of_a_public_shape_gives_the_expected_items(name: str) -> None:
    expected = EXPECTED[name]
    items, _ = load(SHAPES / name, expected.get("columns"))
    assert [row_of(item) for item in items] == expected["items"]


@pytest.mark.parametrize("name", EXPECTED.keys() - REFUSED.keys())
def test_a_file_of_a_public_shape_is_recognised_without_a_configuration_and_hints_at_scorers(name: str) -> None:
    found = recognise(SHAPES / name)
    assert found.format == EXPECTED[name]["format"]
    assert list(found.scorers) == EXPECTED[name].get("scorers", [])
    assert any(found.format in sentence for sentence in found.sentences)


@pytest.mark.parametrize("name", REFUSED)
def test_an_unrecognised_file_is_refused_with_one_message_that_says_what_to_write(name: str) -> None:
    with pytest.raises(DataError) as caught:
        recognise(SHAPES / name)
    assert "no column is recognised as the question; the columns are" in caught.value.message
    assert caught.value.hint is not None
    assert REFUSED[name] in caught.value.hint


def test_a_file_without_a_header_loads_after_adding_the_suggested_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="question,A,B,C,D,answer"):
        recognise(SHAPES / "headerless_mmlu.csv")
    path = tmp_path / "mmlu.csv"
    path.write_text("question,A,B,C,D,answer\n" + (SHAPES / "headerless_mmlu.csv").read_text())
    items, _ = load(path)
    assert [item.answers for item in items] == [("8",), ("mercury",), ("honey",)]
    assert items[0].choices == ("6", "8", "10", "12")


UNUSED: Final = "assertions that cannot be expressed as accepted answers, which are not used"
SYSTEM: Final = (
    "questions with their own system message, which is kept as the column `system` but not sent (the arms set the "
    "system prompt)"
)


@pytest.mark.parametrize(
    ("name", "remark"),
    [
        ("promptfoo.yaml", f"{UNUSED}: latency (1), llm-rubric (1)"),
        ("promptfoo.csv", f"{UNUSED}: javascript (1), llm-rubric (1)"),
        ("openai_evals.jsonl", f"{SYSTEM}: 2"),
        ("drop_official.json", "questions with an answer of several spans, which are joined by commas: 1"),
        ("samples_gsm8k_2026-01-05T10-00-00.jsonl", "samples of a question under another filter, read once: 3"),
        ("samples_arc.jsonl", "each `doc` is in the format arc"),
    ],
)
def test_ignored_content_is_reported_once_with_its_count(name: str, remark: str) -> None:
    _, said = load(SHAPES / name)
    assert said.count(remark) == 1


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("squad_hub.jsonl", "squad_v2"),
        ("squad_rows.json", "squad_v2"),
        ("squad_v1.json", "squad_v1"),
        ("nq_open.jsonl", "nq_open"),
        ("triviaqa_hub.jsonl", "triviaqa"),
        ("natural_questions.jsonl", "squad_v2, by character"),
        ("coqa.json", "squad_v2, by character"),
    ],
)
def test_a_recognised_format_is_scored_by_its_official_rules_and_any_other_like_a_custom_one(
    name: str, rules: str
) -> None:
    format_: DatasetFormat = registry.load("dataset format", recognise(SHAPES / name).format)
    assert str(rules_for(format_.name, format_.rules([SHAPES / name], Reading()))) == rules


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32", "cp037"])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_file_in_a_configured_encoding_is_recognised_read_and_scored_alike(
    name: str, encoding: str, tmp_path: Path
) -> None:
    text = (SHAPES / name).read_text(encoding="utf-8")
    text = text.encode(encoding, errors="replace").decode(encoding)  # cp037 has no typographic quotes
    plain, encoded = tmp_path / "plain" / name, tmp_path / "encoded" / name
    for path, codec in {plain: "utf-8", encoded: encoding}.items():
        path.parent.mkdir()
        path.write_text(text, encoding=codec, newline="")
    columns = EXPECTED[name].get("columns")
    expected, found = recognise(plain, columns=columns), recognise(encoded, encoding, columns)
    assert (found.format, found.columns, found.scorers) == (expected.format, expected.columns, expected.scorers)
    format_: DatasetFormat = registry.load("dataset format", found.format)
    reading = Reading(columns=found.columns)
    in_encoding = reading._replace(encoding=encoding)
    assert [*format_.read(encoded, "mine", reading=in_encoding)] == [*format_.read(plain, "mine", reading=reading)]
    assert format_.rules([encoded], in_encoding) == format_.rules([plain], reading)


def test_the_official_file_and_the_rows_of_the_hub_hold_the_same_questions() -> None:
    for one, other in (
        ("arc.jsonl", "arc_official.jsonl"),
        ("hotpotqa.json", "hotpotqa_hub.jsonl"),
        ("squad_hub.jsonl", "squad_rows.json"),
        ("ragas.jsonl", "ragas_older.json"),
    ):
        assert load(SHAPES / one)[0] == load(SHAPES / other)[0]


def test_the_logged_samples_of_a_task_hold_the_questions_of_its_file() -> None:
    assert load(SHAPES / "samples_arc.jsonl")[0] == load(SHAPES / "arc.jsonl")[0]


CONFIG: Final = """
models: {{small: smollm2-135m-instruct}}
prompt_sets: {{main: {{control: {{text: Answer.}}, treatment: {{text: Answer briefly.}}}}}}
datasets: {{mine: {path}}}
"""


@pytest.mark.parametrize("name", EXPECTED.keys() - REFUSED.keys())
def test_a_minimal_configuration_with_a_file_of_a_public_shape_is_resolved(tmp_path: Path, name: str) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.format(path=json.dumps(str(SHAPES / name))))
    loaded, resolution = load_resolved(tmp_path / "c.yaml", {})
    dataset = loaded.experiment.datasets["mine"]
    assert dataset.format == EXPECTED[name]["format"]
    types = {DEFAULT_PACK.get(column, column) for column in loaded.experiment.scorers or {}}
    assert types >= set(EXPECTED[name].get("scorers", []))
    assert [row_of(item) for item in read_items(loaded, "mine", dataset)] == EXPECTED[name]["items"]
    assert any(sentence.startswith("datasets.mine: read as ") for sentence in resolution.sentences)


def test_every_scorer_that_a_format_asks_for_is_a_type_of_scorer() -> None:
    asked_for = {scorer for name in DATASETS for scorer in registry.load("dataset format", name).scorers}
    assert {"choice", "numeric", "exact_match", "token_f1"} <= asked_for <= SCORERS.keys()
