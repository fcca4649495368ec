"""However a trial is split into parts, no item is lost, repeated, split or separated from its other arm."""

from collections import Counter
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from promptrial.design.parts import cut_parts
from promptrial.model import Part, Trial
from promptrial.model.arms import PAIR
from tests.support.values import make_trial

n_items = st.integers(0, 200)


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    temps = draw(st.lists(st.sampled_from([0.0, 0.25, 0.7, 1.0]), min_size=1, max_size=3, unique=True))
    conditions = draw(st.sampled_from([PAIR, PAIR[::-1], PAIR[:1], PAIR[1:]]))
    replicates = {repr(temp): draw(st.integers(1, 12)) for temp in temps}
    return make_trial(temps=tuple(temps), samples_per_item=replicates, conditions=conditions)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[Trial, int, tuple[Part, ...], dict[str, int | None]]:
    trial, count = draw(trials()), draw(n_items)
    how: dict[str, int | None] = {"parts_per_dataset": None, "lines_per_part": None}
    name = draw(st.sampled_from(["parts_per_dataset", "lines_per_part", "neither"]))
    if name != "neither":
        how[name] = draw(st.integers(1, 60))
    return trial, count, cut_parts(trial, count, **how), how


@given(cuts())
def test_every_item_is_in_exactly_one_part_of_each_arm_and_temperature(
    cut: tuple[Trial, int, tuple[Part, ...], dict[str, int | None]],
) -> None:
    trial, count, parts, _ = cut
    members = Counter((part.temp, part.condition, item) for part in parts for item in range(part.start, part.stop))
    assert members == Counter(
        (temp, condition, item) for temp in trial.temps for condition in trial.conditions for item in range(count)
    )


@given(cuts())
def test_the_arms_of_a_shard_are_adjacent(
    cut: tuple[Trial, int, tuple[Part, ...], dict[str, int | None]],
) -> None:
    trial, _, parts, _ = cut
    arms = len(trial.conditions)
    for first in range(0, len(parts), arms):
        shard = parts[first : first + arms]
        assert tuple(part.condition for part in shard) == trial.conditions
        assert len({(part.temp, part.index, part.start, part.stop) for part in shard}) == 1


@given(cuts())
def test_parts_are_in_order_with_unique_names_and_as_many_rows_as_requests(
    cut: tuple[Trial, int, tuple[Part, ...], dict[str, int | None]],
) -> None:
    trial, _, parts, _ = cut
    assert len({part.name for part in parts}) == len(parts)
    for (temp, _condition), group in groupby(sorted(parts, key=key_of), key=key_of):
        for number, part in enumerate(group, 1):
            assert part.index == number
            assert part.rows == (part.stop - part.start) * trial.samples_per_item[repr(temp)] > 0


def key_of(part: Part) -> tuple[float, str]:
    return part.temp, part.condition


@given(trials(), n_items, st.integers(1, 60))
def test_a_part_exceeds_the_line_limit_only_if_a_single_item_does(trial: Trial, count: int, lines: int) -> None:
    for part in cut_parts(trial, count, parts_per_dataset=None, lines_per_part=lines):
        assert part.rows <= lines or part.stop - part.start == 1


@given(trials(), n_items, st.integers(1, 60))
def test_the_requested_number_of_parts_have_sizes_that_differ_by_at_most_one(
    trial: Trial, count: int, wanted: int
) -> None:
    parts = cut_parts(trial, count, parts_per_dataset=wanted, lines_per_part=None)
    for temp in trial.temps:
        for condition in trial.conditions:
            sizes = [part.stop - part.start for part in parts if (part.temp, part.condition) == (temp, condition)]
            assert len(sizes) == min(wanted, count)
            assert max(sizes, default=0) - min(sizes, default=0) <= 1
