"""However a part is cut, its pieces hold each item once, none is too large, and none could have been larger."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.design.parts import pieces_within
from promptrial.model import Part
from promptrial.phases.cutting import as_recorded


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[int]], list[int | None], int | None]:
    count, arms = draw(st.integers(1, 30)), draw(st.integers(1, 3))
    sizes = draw(st.lists(st.lists(st.integers(1, 9), min_size=count, max_size=count), min_size=arms, max_size=arms))
    most = draw(st.lists(st.none() | st.integers(9, 40), min_size=arms, max_size=arms))
    return sizes, most, draw(st.none() | st.integers(1, 12))


@given(cases())
def test_parts_contain_each_item_once_and_are_as_large_as_possible(
    case: tuple[list[list[int]], list[int | None], int | None],
) -> None:
    sizes, most, most_items = case

    def fits(start: int, stop: int) -> bool:
        by_bytes = all(limit is None or sum(own[start:stop]) <= limit for own, limit in zip(sizes, most, strict=True))
        return by_bytes and (most_items is None or stop - start <= most_items)

    found = list(pieces_within(sizes, most, most_items))
    assert [at for start, stop in found for at in range(start, stop)] == list(range(len(sizes[0])))
    assert all(start < stop and fits(start, stop) for start, stop in found)
    assert not any(fits(start, stop + 1) for (start, stop), _ in itertools.pairwise(found))


@pytest.mark.parametrize(("most", "most_items"), [([5], None), ([None], 0)])
def test_an_item_that_does_not_fit_is_named(most: list[int | None], most_items: int | None) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its argument says which
        list(pieces_within([[6, 1]], most, most_items))
    assert caught.value.args == (0,)


def parts(*spans: tuple[int, int], step: int = 0, first: int = 1) -> list[Part]:
    return [
        Part("t", 0.0, arm, number, start, stop, stop - start, step)
        for number, (start, stop) in enumerate(spans, first)
        for arm in ("control", "brief")
    ]


def test_parts_from_before_a_growth_are_kept_and_later_parts_are_numbered_after_them() -> None:
    new = [*parts((0, 9)), *parts((0, 5), step=1, first=2)]
    old = parts((0, 4), (4, 9))
    found = as_recorded(new, old, 2)
    assert [part for part, _ in found] == [*old, *(replace(part, index=3) for part in new[2:])]
    assert [kept for _, kept in found] == [True] * 4 + [False] * 2


def test_the_last_step_and_changed_steps_are_split_by_the_settings() -> None:
    new = [*parts((0, 9)), *parts((0, 5), step=1, first=2)]
    for old in ([], parts((0, 4), (4, 8)), parts((0, 2), (2, 5), step=1), parts((0, 9))[:1]):
        assert as_recorded(new, old, 2) == [(part, False) for part in new]
