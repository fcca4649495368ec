"""Sampling by seeded hash: nested, and blind to the order of the source."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.datasets.sampling import sample, sampling_hash
from promptrial.model import Item

item_lists = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=60).map(
    lambda item_ids: [make(item_id) for item_id in item_ids]
)


def make(item_id: str, dataset: str = "d") -> Item:
    return Item(id=item_id, dataset=dataset, question="q", answers=("a",))


@given(item_lists, st.integers(0, 70), st.integers(0, 70), st.integers())
def test_a_larger_sample_begins_with_the_smaller_one(items: list[Item], one: int, two: int, seed: int) -> None:
    small, large = sorted((one, two))
    assert sample(items, large, seed)[:small] == sample(items, small, seed)
    assert sample(items, None, seed)[:large] == sample(items, large, seed)


@given(item_lists, st.none() | st.integers(0, 70), st.integers(), st.randoms(use_true_random=False))
def test_the_order_of_the_source_does_not_matter(
    items: list[Item], size: int | None, seed: int, rng: random.Random
) -> None:
    shuffled = rng.sample(items, len(items))
    assert sample(iter(shuffled), size, seed) == sample(items, size, seed)


@given(item_lists, st.integers(0, 70), st.integers())
def test_a_sample_has_the_requested_number_of_items_and_no_duplicates(items: list[Item], size: int, seed: int) -> None:
    drawn = sample(items, size, seed)
    assert len({item.id for item in drawn}) == len(drawn) == min(size, len(items))
    assert all(item in items for item in drawn)


@given(item_lists, item_lists, st.integers(0, 20), st.integers())
def test_new_items_in_the_source_push_old_ones_out_but_never_reorder_them(
    items: list[Item], more: list[Item], size: int, seed: int
) -> None:
    known = {item.id for item in items}
    grown = items + [item for item in more if item.id not in known]
    kept = [item for item in sample(grown, size, seed) if item.id in known]
    assert kept == sample(items, len(kept), seed)


def test_seed_and_dataset_change_the_sample_and_every_item_is_drawn_about_equally_often() -> None:
    items = [make(str(number)) for number in range(40)]
    others = [make(str(number), dataset="e") for number in range(40)]
    assert [i.id for i in sample(items, 10, 1)] != [i.id for i in sample(items, 10, 2)]
    assert [i.id for i in sample(items, 10, 1)] != [i.id for i in sample(others, 10, 1)]
    drawn = Counter(item.id for seed in range(2000) for item in sample(items, 10, seed))
    # 2000 draws at probability 1/4: mean 500, standard deviation 19; five of them either way
    assert len(drawn) == 40
    assert all(400 < count < 600 for count in drawn.values())


def test_the_hash_is_the_documented_one_and_a_negative_size_is_refused() -> None:
    assert sampling_hash(make("x"), 7).hex() == "faeea058d97419fc901d984c284879de56775ce6a9fb9020313167b051cd2536"
    with pytest.raises(ValueError, match="0 or more"):
        sample([], -1, 0)
