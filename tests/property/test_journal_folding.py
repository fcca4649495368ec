"""A crash between saving the manifest and clearing the journal folds changes twice, and that is harmless."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from promptrial.store.journal import PartEvent, fold
from promptrial.store.part_records import FileRecord, PartRecord, PartStatus

short = st.none() | st.sampled_from(["a", "b", "c"])
events = st.lists(
    st.builds(
        PartEvent,
        part=st.sampled_from(["t0_control_p001", "t0_treatment_p001", "t07_control_p002"]),
        status=st.sampled_from(get_args(PartStatus)),
        at=st.just("t"),
        attempt=st.none() | st.integers(1, 3),
        request_sha256=short,
        dataset=short,
        job=short,
        results=st.none() | st.builds(FileRecord, short.map(str), st.integers(0, 3)),
        reason=short,
    ),
    max_size=12,
)


def folded(parts: dict[str, PartRecord], changes: list[PartEvent]) -> dict[str, PartRecord]:
    after = dict(parts)
    fold(after, changes)
    return after


@given(events, events)
def test_folding_twice_is_folding_once(before: list[PartEvent], changes: list[PartEvent]) -> None:
    start = folded({}, before)
    once = folded(start, changes)
    assert folded(once, changes) == once


@given(events, st.integers(0, 12))
def test_a_checkpoint_at_any_point_gives_the_same_result(changes: list[PartEvent], checkpoint: int) -> None:
    saved = folded({}, changes[:checkpoint])
    assert folded(saved, changes[checkpoint:]) == folded({}, changes)


@given(events)
def test_the_last_change_of_each_part_decides_its_status(changes: list[PartEvent]) -> None:
    parts = folded({}, changes)
    assert {name: part.status for name, part in parts.items()} == {event.part: event.status for event in changes}
