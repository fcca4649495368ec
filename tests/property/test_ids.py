"""Request ids survive the trip over the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.model import RequestId, ids
from promptrial.model.arms import ARM_PATTERN, PAIR, arm_code

ARMS = (*PAIR, "short", "a" * 32)
request_ids = st.builds(
    RequestId,
    dataset=st.from_regex(ids.DATASET_PATTERN, fullmatch=True).filter(
        lambda name: ids.escaped_length(name) <= ids.longest_dataset(ARMS)
    ),
    item_id=st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=80),
    condition=st.sampled_from(ARMS),
    temp=st.sampled_from(["0.0", "0.7", "1.0", "0.25", "1.999", "2.0"]),
    sample_index=st.integers(0, ids.MAX_SAMPLES - 1),
    type=st.sampled_from(["open", "closed"]),
)


@given(request_ids)
def test_a_wire_id_obeys_the_strictest_provider_and_decodes_to_the_same_request(rid: RequestId) -> None:
    wire = ids.wire_encode(rid)
    assert ids.WIRE_ID_PATTERN.fullmatch(wire)
    assert ids.wire_decode(wire, {ids.item_token(rid.item_id): rid.item_id}, ARMS) == rid


@given(request_ids)
def test_a_canonical_id_reads_back(rid: RequestId) -> None:
    assert ids.parse_canonical(ids.canonical(rid)) == rid


@given(st.lists(request_ids, unique=True, max_size=20))
def test_different_requests_have_different_wire_ids(rids: list[RequestId]) -> None:
    assert len({ids.wire_encode(rid) for rid in rids}) == len(rids)


@given(st.text(max_size=70))
def test_any_text_is_refused_or_decodes_to_a_request_that_encodes_to_it(text: str) -> None:
    try:
        rid = ids.wire_decode(text, arms=ARMS)
    except ValueError:
        return
    assert ids.wire_encode(rid) == text


def test_a_hashed_item_that_the_run_does_not_know_is_refused() -> None:
    rid = RequestId("squad_v2", "x" * 100, "control", "0.0", 0, "open")
    with pytest.raises(ValueError, match="not a wire id"):
        ids.wire_decode(ids.wire_encode(rid), {})


@given(st.lists(st.from_regex(ARM_PATTERN, fullmatch=True), min_size=1, unique_by=arm_code))
def test_every_arm_of_a_trial_is_known_by_its_code(arms: list[str]) -> None:
    for arm in arms:
        rid = RequestId("squad_v2", "q1", arm, "0.0", 0, "open")
        assert ids.wire_decode(ids.wire_encode(rid), arms=arms) == rid


def test_an_arm_that_the_trial_does_not_have_is_refused() -> None:
    wire = ids.wire_encode(RequestId("squad_v2", "q1", "short", "0.0", 0, "open"))
    with pytest.raises(ValueError, match="not a wire id"):
        ids.wire_decode(wire, arms=PAIR)


def test_without_the_arms_of_the_trial_an_arm_is_named_by_its_code() -> None:
    wire = ids.wire_encode(RequestId("squad_v2", "q1", "short", "0.0", 0, "open"))
    assert ids.wire_decode(wire).condition == "x7gya"
    with pytest.raises(ValueError, match="not a wire id"):
        ids.wire_decode(wire.replace("x7gya", "x7gy0"))


def test_ids_of_two_arms_are_unchanged_from_earlier_versions() -> None:
    control = RequestId("squad_v2", "56ddde6b", "control", "0.7", 0, "open")
    assert ids.wire_encode(control) == "squad__v2-56ddde6b-c-07-0-o"
    assert ids.wire_encode(control._replace(condition="treatment")) == "squad__v2-56ddde6b-t-07-0-o"


@given(
    st.lists(request_ids, max_size=8),
    st.sampled_from(ARMS),
    st.sampled_from(["0.0", "0.25", "2.0"]),
    st.integers(1, 12),
    st.integers(0, 2**40),
)
def test_lengths_of_ids_and_seeds_computed_together_equal_single_ones(
    of: list[RequestId], arm: str, temp: str, replicates: int, seed: int
) -> None:
    requests = [each._replace(condition=arm, temp=temp, sample_index=at) for each in of for at in range(replicates)]
    one_by_one = sum(len(ids.wire_encode(each)) + len(str(ids.request_seed(each, seed))) for each in requests)
    assert (
        ids.lengths(((each.dataset, each.item_id, each.type) for each in of), arm, temp, replicates, seed) == one_by_one
    )
