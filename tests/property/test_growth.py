"""However a sample grows, no part changes, each new item gets one place, and a fresh run asks the same requests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from promptrial.datasets.sampling import sample
from promptrial.design.growth import Step, cut_steps, items_of_steps, pieces_of, steps_of
from promptrial.design.prompts import requests_of
from promptrial.model import Item, Part, Trial
from promptrial.providers.request_rows import encode_request_row
from tests.support.values import make_trial

SEED = 11
_SIZES = st.none() | st.integers(1, 25)
_Files = dict[str, list[bytes]]


@st.composite
def question_sets(draw: st.DrawFn) -> dict[str, list[Item]]:
    names = draw(st.permutations(["a", "b", "c"]))[: draw(st.integers(1, 3))]
    return {name: [_item(name, n, draw(st.booleans())) for n in range(draw(st.integers(1, 20)))] for name in names}


def _item(dataset: str, number: int, is_open: bool) -> Item:
    return Item(
        id=f"i{number}", dataset=dataset, question="q?", answers=("a",), context="The passage." if is_open else None
    )


@st.composite
def growing(draw: st.DrawFn) -> tuple[dict[str, list[Item]], Trial, list[Step]]:
    """Draw questions, a trial, and samples that only grow, each with a way to cut what it adds."""
    questions = draw(question_sets())
    temps = draw(st.sampled_from([(0.0,), (0.0, 0.7)]))
    trial = make_trial(temps=temps, samples_per_item={repr(temp): draw(st.integers(1, 3)) for temp in temps})
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 4))):
        before = steps[-1].sizes if steps else dict.fromkeys(questions, 1)
        sizes = {name: _no_smaller(draw(_SIZES), size) for name, size in before.items()}
        order = draw(st.permutations(list(sizes)))
        steps.append(_cut(draw, {name: sizes[name] for name in order}))
    return questions, trial, steps


def _no_smaller(size: int | None, before: int | None) -> int | None:
    return None if size is None or before is None else max(size, before)


def _cut(draw: st.DrawFn, sizes: dict[str, int | None]) -> Step:
    name, count = draw(st.sampled_from(["parts_per_dataset", "lines_per_part", "neither"])), draw(st.integers(1, 8))
    step = Step(sizes)
    if name == "parts_per_dataset":
        step = replace(step, parts_per_dataset=count)
    elif name == "lines_per_part":
        step = replace(step, lines_per_part=count)
    return step


def prepared(questions: dict[str, list[Item]], step: Step) -> list[Item]:
    """Return what the prepare phase writes, in its order."""
    chosen = [item for name, size in step.sizes.items() for item in sample(questions[name], size, SEED)]
    return [item for kind in ("open", "closed") for item in chosen if item.type == kind]


def part_files(questions: dict[str, list[Item]], trial: Trial, steps: Sequence[Step]) -> _Files:
    """Return the request file of each part, as lines."""
    items = prepared(questions, steps[-1])
    added = items_of_steps(items, steps, SEED)
    return {
        part.name: [
            encode_request_row(request)
            for request in requests_of(part, [items[at] for at in added[part.step][part.start : part.stop]], trial)
        ]
        for part in cut_steps(trial, steps, [len(found) for found in added])
    }


def test_a_run_that_never_grew_keeps_its_order_and_parts() -> None:
    step = Step({"a": 5}, parts_per_dataset=2)
    trial, questions = make_trial(), {"a": [_item("a", n, is_open=n % 2 == 0) for n in range(9)]}
    items = prepared(questions, step)
    assert items_of_steps(items, [step], SEED) == (range(5),)
    parts = cut_steps(trial, [step], [5])
    assert [(part.name, part.start, part.stop, part.step) for part in parts] == [
        ("t0_control_p001", 0, 3, 0),
        ("t0_treatment_p001", 0, 3, 0),
        ("t0_control_p002", 3, 5, 0),
        ("t0_treatment_p002", 3, 5, 0),
    ]


@given(growing())
def test_no_part_changes_when_the_sample_grows(drawn: tuple[dict[str, list[Item]], Trial, list[Step]]) -> None:
    questions, trial, steps = drawn
    before: _Files = {}
    for count in range(1, len(steps) + 1):
        after = part_files(questions, trial, steps[:count])
        assert {name: after.get(name) for name in before} == before
        before = after


@given(growing())
def test_a_grown_run_asks_exactly_what_a_fresh_run_of_that_size_asks(
    drawn: tuple[dict[str, list[Item]], Trial, list[Step]],
) -> None:
    questions, trial, steps = drawn
    grown, fresh = (part_files(questions, trial, which) for which in (steps, steps[-1:]))
    assert Counter(line for lines in grown.values() for line in lines) == Counter(
        line for lines in fresh.values() for line in lines
    )
    assert all(grown.values())


@given(growing())
def test_the_parts_in_order_contain_the_requests_of_a_fresh_run_in_its_order(
    drawn: tuple[dict[str, list[Item]], Trial, list[Step]],
) -> None:
    questions, trial, steps = drawn
    items = prepared(questions, steps[-1])
    added = items_of_steps(items, steps, SEED)
    parts = cut_steps(trial, steps, [len(found) for found in added])
    order = cut_steps(trial, steps[-1:], [len(items)])
    asked = [
        (piece.part.temp, piece.part.condition, item)
        for piece in pieces_of(order, parts, added)
        for item in [items[at] for at in added[piece.part.step][piece.part.start :][piece.start : piece.stop]]
    ]
    assert asked == [(part.temp, part.condition, item) for part in order for item in items[part.start : part.stop]]


def test_smaller_parts_are_consecutive_pieces_of_those_of_a_fresh_run() -> None:
    def part(number: int, start: int, stop: int) -> Part:
        return Part("t", 0.0, "control", number, start, stop, stop - start)

    order, parts = [part(1, 0, 4), part(2, 4, 6)], [part(1, 0, 3), part(2, 3, 6)]
    found = [(piece.part.index, piece.start, piece.stop) for piece in pieces_of(order, parts, [range(6)])]
    assert found == [(1, 0, 3), (2, 0, 1), (2, 1, 3)]
    found = [(piece.part.index, piece.start, piece.stop) for piece in pieces_of(order, order, [range(6)])]
    assert found == [(1, 0, 4), (2, 0, 2)]


@given(growing())
def test_the_arms_of_a_new_part_have_the_same_items(drawn: tuple[dict[str, list[Item]], Trial, list[Step]]) -> None:
    questions, trial, steps = drawn
    added = items_of_steps(prepared(questions, steps[-1]), steps, SEED)
    parts = cut_steps(trial, steps, [len(found) for found in added])
    for first in range(0, len(parts), 2):
        shard = parts[first : first + 2]
        assert tuple(part.condition for part in shard) == trial.conditions
        assert len({(part.temp, part.index, part.step, part.start, part.stop) for part in shard}) == 1


@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), st.none() | st.integers(1, 6), min_size=1), min_size=2, max_size=6),
    st.lists(st.integers(1, 3), min_size=6, max_size=6),
)
def test_no_part_changes_when_a_forced_smaller_sample_grows(
    samples: list[dict[str, int | None]], cuts: list[int]
) -> None:
    questions = {name: [_item(name, n, is_open=n % 2 == 0) for n in range(6)] for name in "ab"}
    on_record: list[Step] = []
    last, before = Step({}), _Files()
    for sizes, lines_per_part in zip(samples, cuts, strict=False):
        step = Step(sizes, lines_per_part=lines_per_part)
        grows = sizes.keys() == last.sizes.keys() and all(
            _no_smaller(size, last.sizes[name]) == size for name, size in sizes.items()
        )
        if grows:
            on_record.append(last)
        after = part_files(questions, make_trial(), steps_of(on_record, step))
        assert not grows or {name: after.get(name) for name in before} == before
        last, before = step, after


def test_a_forced_smaller_sample_shortens_earlier_steps() -> None:
    earlier = [Step({"a": 4, "gone": 3}), Step({"a": None})]
    assert [dict(step.sizes) for step in steps_of(earlier, Step({"a": 6, "b": 2}))] == [
        {"a": 4},
        {"a": 6},
        {"a": 6, "b": 2},
    ]
