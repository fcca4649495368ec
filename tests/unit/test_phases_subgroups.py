"""Which subgroup an item belongs to, and which columns cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrial.errors import ConfigError
from promptrial.model import Item
from promptrial.phases.score_columns import score_columns
from promptrial.phases.subgroups import check_subgroups, levels_of
from tests.support.configs import loaded, tree_of


def item(number: int, **extra: str) -> Item:
    return Item(id=f"q{number}", dataset="d", question="Q?", answers=("x",), extra=extra)


ITEMS = [item(1, category=" verse ", level="1"), item(2, category="prose"), item(3, level="")]


def refused(columns: list[str], items: list[Item]) -> str:
    with pytest.raises(ConfigError) as caught:
        check_subgroups(columns, items)
    return f"{caught.value.message} / {caught.value.hint}"


def test_the_level_of_an_item_is_its_value_and_an_empty_value_is_its_own_level() -> None:
    assert [levels_of(each, ["category", "level"]) for each in ITEMS] == [
        ("verse", "1"), ("prose", "(none)"), ("(none)", "(none)"),
    ]  # fmt: skip


def test_columns_that_only_some_items_have_can_be_used() -> None:
    check_subgroups(["category", "level"], ITEMS)
    check_subgroups([], [])


def test_a_column_that_no_item_has_is_refused_with_the_existing_ones() -> None:
    message = refused(["categry"], ITEMS)
    assert message.startswith(
        "subgroups: no question has a column 'categry'; did you mean 'category'? columns: category, "
    )
    assert "docs/questions.md#subgroups" in message
    assert "did you mean 'category'?" in refused(["Category"], ITEMS)
    assert "; they have no other columns" in refused(["x"], [item(1)])


def test_a_column_can_have_20_values_but_not_21() -> None:
    items = [item(number, topic=f"t{number}") for number in range(20)]
    check_subgroups(["topic"], items)
    assert refused(["topic"], [*items, item(21)]).startswith(
        "subgroups: the column 'topic' has 21 different values; at most 20 can be compared"
    )


def test_subgroup_columns_are_at_the_end_of_the_score_table_and_only_on_request() -> None:
    assert score_columns(["em"], ["own"], ["category"])[-2:] == (
        ("own_worst", "float"),
        ("subgroup:category", "category"),
    )
    assert score_columns(["em"], ["own"]) == score_columns(["em"], ["own"], ["category"])[:-1]


def test_subgroups_are_recorded_only_where_there_are_any(tmp_path: Path) -> None:
    assert "subgroups" not in tree_of(loaded(tmp_path))
    assert tree_of(loaded(tmp_path, {"subgroups": ["category"]}))["subgroups"] == ["category"]
    assert tree_of(loaded(tmp_path, {"subgroups": "category"}))["subgroups"] == ["category"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a", "a"], "subgroups: 'a' is given twice"),
        (["a\nb"], "contains an invisible character"),
        ([""], "subgroups.0"),
    ],
)
def test_a_value_that_is_not_a_list_of_columns_is_refused(tmp_path: Path, given: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, {"subgroups": given})
    assert said in caught.value.message


def test_the_page_named_in_a_refusal_exists() -> None:
    assert "\n## Subgroups\n" in (Path(__file__).parents[2] / "docs/questions.md").read_text()
