"""Request ids survive the trip over the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.model import CONDITIONS, RequestId, ids

request_ids = st.builds(
    RequestId,
    dataset=st.from_regex(ids.DATASET_PATTERN, fullmatch=True).filter(
        lambda name: ids.escaped_length(name) <= ids.MAX_DATASET_LENGTH
    ),
    item_id=st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=80),
    condition=st.sampled_from(CONDITIONS),
    temp=st.sampled_from(["0.0", "0.7", "1.0", "0.25", "1.999", "2.0"]),
    sample_index=st.integers(0, ids.MAX_SAMPLES - 1),
    type=st.sampled_from(["open", "closed"]),
)


@given(request_ids)
def test_a_wire_id_obeys_the_strictest_provider_and_decodes_to_the_same_request(rid: RequestId) -> None:
    wire = ids.wire_encode(rid)
    assert ids.WIRE_ID_PATTERN.fullmatch(wire)
    assert ids.wire_decode(wire, {ids.item_token(rid.item_id): rid.item_id}) == rid


@given(request_ids)
def test_a_canonical_id_reads_back(rid: RequestId) -> None:
    assert ids.parse_canonical(ids.canonical(rid)) == rid


@given(st.lists(request_ids, unique=True, max_size=20))
def test_different_requests_have_different_wire_ids(rids: list[RequestId]) -> None:
    assert len({ids.wire_encode(rid) for rid in rids}) == len(rids)


@given(st.text(max_size=70))
def test_any_other_text_is_refused_or_decodes_to_what_encodes_to_it(text: str) -> None:
    try:
        rid = ids.wire_decode(text)
    except ValueError:
        return
    assert ids.wire_encode(rid) == text


def test_a_hashed_item_that_the_run_does_not_know_is_refused() -> None:
    rid = RequestId("squad_v2", "x" * 100, "control", "0.0", 0, "open")
    with pytest.raises(ValueError, match="not a wire id"):
        ids.wire_decode(ids.wire_encode(rid), {})
