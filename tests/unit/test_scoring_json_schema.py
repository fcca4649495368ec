"""JSON in answers: schemas, fields, hostile schemas and hostile answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrial.config.loading import load_config
from promptrial.config.typed import SettingsError, typed
from promptrial.errors import ConfigError, ScoreError
from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.json_values import depth, equal, read_json
from promptrial.scoring.panel import score_answer
from promptrial.scoring.types.json_schema import JsonSchema
from tests.support.project import Project

CITY = {
    "type": "object",
    "properties": {"city": {"type": ["string", "null"]}, "year": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
GOLD = Item(id="1", dataset="d", question="q", answers=('{"city": "Split", "year": 305, "at": {"lat": 43.5}}',))
TEXT = Item(id="2", dataset="d", question="q", answers=("Split", "305"))
UNANSWERABLE = Item(id="3", dataset="d", question="q", answers=(), is_unanswerable=True)


def scored(settings: dict[str, Any], text: str, item: Item = GOLD) -> float:
    scorer = typed(JsonSchema, settings)
    (score,) = score_answer(prepare_gold(item, "squad_v2", ScoringSettings()), Response(text), {"s": scorer})
    return score


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"city": "Split"}', 1),
        (' \n{"year": 305, "city": null}\n', 1),
        ('{"city": "Split", "year": 305.0}', 1),
        ('{"city": "Split", "year": "305"}', 0),
        ('{"city": "Split", "land": "HR"}', 0),
        ('{"year": 305}', 0),
        ("Split", 0),
        ('The answer is {"city": "Split"}', 0),
        ('{"city": "Split"', 0),
        ('{"city": "Split", "year": NaN}', 0),
        ('{"city": "Split", "year": 1e999}', 0),
        ('{"city": "Split", "year": ' + "9" * 5000 + "}", 0),
        ("[" * 60 + "]" * 60, 0),
        ("[" * 100_000, 0),
        ("I don't know.", 0),
    ],
)
def test_an_answer_is_right_if_it_is_json_that_matches_the_schema(text: str, score: float) -> None:
    assert scored({"schema": CITY}, text) == score
    assert scored({"schema": json.dumps(CITY)}, text) == score


def test_without_a_schema_any_json_is_right() -> None:
    assert scored({}, "3") == 1
    assert scored({}, "three") == 0
    assert scored({"schema": False}, "3") == 0


@pytest.mark.parametrize(
    ("fields", "text", "item", "score"),
    [
        (["city"], '{"city": "Split"}', GOLD, 1),
        (["city", "at.lat"], '{"city": "Split", "at": {"lat": 43.50}}', GOLD, 1),
        (["city", "at.lat"], '{"city": "Split", "at": {"lat": 43}}', GOLD, 0),
        (["city"], '{"city": "split"}', GOLD, 0),
        (["city"], '{"town": "Split"}', GOLD, 0),
        ({"town": "gold.city"}, '{"town": "Split"}', GOLD, 1),
        ({"a.0.b": "gold.year"}, '{"a": [{"b": 305}]}', GOLD, 1),
        ({"a.1.b": "gold.year"}, '{"a": [{"b": 305}]}', GOLD, 0),
        ({"answer": "gold"}, '{"answer": "the split."}', TEXT, 1),
        ({"answer": "gold"}, '{"answer": 305}', TEXT, 1),
        ({"answer": "gold"}, '{"answer": 306}', TEXT, 0),
        ({"answer": "gold"}, '{"answer": true}', Item(id="4", dataset="d", question="q", answers=("1",)), 0),
        ({"answer": "gold"}, '{"answer": null}', TEXT, 0),
        ({"answer": "gold"}, '{"answer": null}', UNANSWERABLE, 1),
        ({"answer": "gold"}, '{"answer": "Split"}', UNANSWERABLE, 0),
        ({"answer": "gold"}, "I don't know.", UNANSWERABLE, 1),
        ({"answer": "gold"}, "I don't know.", TEXT, 0),
    ],
)
def test_fields_compare_with_the_accepted_answer(fields: Any, text: str, item: Item, score: float) -> None:
    assert scored({"fields": fields}, text, item) == score


def test_all_fields_must_agree_with_the_same_accepted_answer() -> None:
    item = Item(id="5", dataset="d", question="q", answers=('{"a": 1, "b": 2}', '{"a": 3, "b": 4}'))
    assert scored({"fields": ["a", "b"]}, '{"a": 3, "b": 4}', item) == 1
    assert scored({"fields": ["a", "b"]}, '{"a": 1, "b": 4}', item) == 0


def test_fields_need_accepted_answers_and_a_schema_does_not() -> None:
    plain, of_fields = (typed(JsonSchema, each).declared for each in ({"schema": CITY}, {"fields": ["city"]}))
    assert (plain.needs, of_fields.needs) == ((), ("gold",))
    assert plain.meaning == "Is the answer JSON that matches the schema?"
    assert of_fields.meaning.endswith(", with the correct values in its fields?")


def test_an_accepted_answer_without_the_field_is_an_error_that_names_the_item() -> None:
    for wanted, said in (("gold.city", "which the accepted answer '3' does not have"), ("gold.city", "is not JSON")):
        item = Item(id="x-1", dataset="d", question="q", answers=("3" if "not have" in said else "Split",))
        with pytest.raises(ScoreError, match=rf"scorer s failed on item 'x-1' of d: .*{said}"):
            scored({"fields": {"city": wanted}}, '{"city": "Split"}', item)


@pytest.mark.parametrize("answer", [json.dumps("x" * 60), "x" * 60])
def test_a_long_accepted_answer_is_named_by_its_first_forty_characters(answer: str) -> None:
    item = Item(id="x", dataset="d", question="q", answers=(answer,))
    with pytest.raises(ScoreError, match=f"the accepted answer '{answer[:40]}' "):
        scored({"fields": {"city": "gold.city"}}, '{"city": "Split"}', item)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a": {"type": "strin"}}}, "$.properties.a.type: "),
        (
            {"$ref": "https://example.com/schema.json"},
            "$.$ref: 'https://example.com/schema.json' points outside the schema",
        ),
        ({"items": {"$ref": "file:///etc/passwd"}}, "$.items.$ref: 'file:///etc/passwd' points outside the schema"),
        ({"allOf": [{"$ref": "#/$defs/none"}]}, "$.allOf[0].$ref: '#/$defs/none' points to nothing in the schema"),
        ({"$ref": "#"}, "the schema refers to itself endlessly"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "the schema refers to itself endlessly"),
        ({"pattern": "(?<=a)b"}, "$.pattern: '(?<=a)b' is not a valid RE2 regular expression"),
        ({"patternProperties": {r"(a)\1": True}}, "$.patternProperties: "),
        ({"unevaluatedProperties": False}, "$.unevaluatedProperties: unevaluatedProperties is not supported here"),
        ({"properties": {"a": {"$id": "b"}}}, "$.properties.a.$id: $id is not supported here"),
        (
            {"$schema": "https://example.com/own"},
            "$.$schema: 'https://example.com/own' is not a known draft of JSON Schema",
        ),
        ({"$schema": []}, "$.$schema: '[]' is not a known draft of JSON Schema"),
        (3, "input should be"),
        ("[1]", "the schema must be an object, true or false"),
        ("{", "the schema is not valid JSON"),
        ('{"a": ' * 5000, "the schema is not valid JSON"),
    ],
)
def test_a_schema_that_cannot_be_used_is_an_error_that_names_the_place(schema: Any, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        typed(JsonSchema, {"schema": schema})
    assert said in error.value.problem


@pytest.mark.parametrize("draft", ["draft-04/schema#", "draft-06/schema#", "draft-07/schema#"])
def test_the_draft_that_a_schema_names_is_used(draft: str) -> None:
    """Beside a reference, older drafts ignore other keywords."""
    old = {"$schema": f"http://json-schema.org/{draft}", "definitions": {"a": {"type": "integer"}}}
    assert scored({"schema": old | {"$ref": "#/definitions/a", "minimum": 5}}, "3") == 1
    new = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"a": {"type": "integer"}}}
    assert scored({"schema": new | {"$ref": "#/$defs/a", "minimum": 5}}, "3") == 0


@pytest.mark.parametrize("levels", [101, 500])
def test_a_schema_that_is_deeper_than_an_answer_needs_is_refused_and_told_how_deep_it_may_be(levels: int) -> None:
    schema: dict[str, Any] = {}
    for _ in range(levels - 1):
        schema = {"not": schema}
    with pytest.raises(SettingsError, match="the schema is nested deeper than 100 levels"):
        typed(JsonSchema, {"schema": schema})
    if levels == 101:
        assert scored({"schema": schema["not"]}, "1") in {0, 1}


def test_a_property_named_like_a_reference_is_not_fetched() -> None:
    """A property may be called `$ref`, and data may hold one."""
    schema = {"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "https://example.com/x"}}
    assert scored({"schema": schema}, '{"$ref": "https://example.com/x"}') == 1


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"items": {"pattern": "^(a+)+$"}}, ["a" * 5000 + "!"]),
        ({"additionalProperties": False, "patternProperties": {"^(a+)+$": True}}, {"a" * 5000 + "!": 1}),
    ],
)
def test_a_pattern_that_makes_other_engines_hang_is_matched_quickly(schema: dict[str, Any], answer: Any) -> None:
    assert scored({"schema": schema}, json.dumps(answer)) == 0


@pytest.mark.parametrize("n", [40])
def test_references_that_double_at_each_step_are_stopped_at_a_limit(n: int) -> None:
    defs = {f"d{k}": {"allOf": [{"$ref": f"#/$defs/d{k + 1}"}] * 2} for k in range(n)} | {f"d{n}": True}
    with pytest.raises(SettingsError, match="takes more than 10,000 references"):
        typed(JsonSchema, {"schema": {"$defs": defs, "$ref": "#/$defs/d0"}})


def doubling(n: int) -> dict[str, Any]:
    """Return a schema that takes 2**n references for a list."""
    defs: dict[str, Any] = {f"d{k}": {"items": {"allOf": [{"$ref": f"#/$defs/d{k + 1}"}] * 2}} for k in range(n)}
    return {"$defs": defs | {f"d{n}": True}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"multipleOf": 0.5}, "1" + "0" * 400),
        ({"items": {"multipleOf": 0.1}}, f"[1{'0' * 400}]"),
        ({"multipleOf": 1e-300}, "1e300"),
        (doubling(20), "[" * 20 + "1" + "]" * 20),
    ],
)
def test_an_undecidable_answer_does_not_match_and_stops_nothing(schema: Any, answer: str) -> None:
    assert scored({"schema": schema}, answer) == 0


def test_an_object_with_a_duplicate_key_is_not_accepted_as_json() -> None:
    assert (
        scored(
            {"fields": {"n": "gold"}},
            '{"n": "Rome", "n": "Split"}',
            Item(id="x", dataset="d", question="q", answers=("Split",)),
        )
        == 0
    )
    assert scored({}, '[{"a": {"b": 1, "c": 1, "b": 1}}]') == 0
    assert scored({}, '[{"a": {"b": 1}}, {"a": {"b": 1}}]') == 1
    with pytest.raises(ValueError, match="the key 'b' occurs twice in an object"):
        read_json('{"a": 1, "b": 2, "b": 2}')


def test_a_recursive_schema_accepts_an_answer_of_the_maximum_depth() -> None:
    node = {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}]}
    schema = {"$defs": {"n": node}, "$ref": "#/$defs/n"}
    assert scored({"schema": schema}, '{"next": ' * 50 + "null" + "}" * 50) == 1
    assert scored({"schema": schema}, '{"next": ' * 51 + "null" + "}" * 51) == 0


def test_the_depth_counts_lists_and_objects() -> None:
    values: list[Any] = [1, [], {"a": [1]}, [[], [[]]]]
    assert [depth(value) for value in values] == [0, 1, 2, 3]


def test_values_are_equal_by_json_and_not_by_python() -> None:
    assert equal({"a": 1, "b": [2]}, {"b": [2.0], "a": 1})
    for one, other in ((1, True), (0, False), ([1], [1, 1]), ({"a": 1}, {}), ("1", 1), (None, 0), ([], {})):
        assert not equal(one, other)
        assert not equal(other, one)


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e400", "'a'", "", "01", "{} {}", "\ufeff{}"])
def test_only_json_is_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read_json(text)


def test_a_schema_in_a_file_is_kept_with_the_run_by_its_digest_and_an_edit_scores_again(project: Project) -> None:
    file = project.root / "config/answer.json"
    file.write_text(json.dumps({"type": "object"}))
    project.write_config({"scorers": {"em": None, "json": {"type": "json_schema", "file": "answer.json"}}})
    assert project.run().code == 0
    record = json.loads((project.trial_folder() / "results/scorers.json").read_text())["scorers"][1]
    assert len(record["sha256"]) == 64
    assert json.dumps({"type": "object"}) in (project.run_root() / "effective_config.yaml").read_text()
    file.write_text(json.dumps({"type": "string"}))
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert "score: running (scorer json changed)" in outcome.err
    assert "submit: running" not in outcome.err


@pytest.mark.parametrize(
    ("scorer", "said"),
    [
        ({"file": "answer.json"}, "scorers.json.file: answer.json: $.type: 'objec'"),
        ({"schema": {"type": "objec"}}, "scorers.json: $.type: 'objec'"),
        ({"file": "answer.json", "schema": {}}, "give only one of `file` and `schema`"),
        ({"file": "../answer.json"}, "is outside the folder of the configuration"),
        ({"type": "fuzzy", "file": "answer.json"}, "`file` and `text` are for `type: python`, `type: json_schema`"),
    ],
)
def test_an_error_in_a_schema_is_reported_with_file_and_line(
    project: Project, scorer: dict[str, Any], said: str
) -> None:
    for folder in (project.root, project.root / "config"):
        (folder / "answer.json").write_text('{"type": "objec"}')
    project.write_config({"scorers": {"json": {"type": "json_schema"} | scorer}})
    with pytest.raises(ConfigError) as error:
        load_config(project.config, {})
    assert str(error.value).startswith(f"{project.config}:")
    assert said in str(error.value)
