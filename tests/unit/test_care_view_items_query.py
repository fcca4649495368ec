"""The address of a page of items says all that the page shows."""

import pytest

from promptrial.care.view.items_query import ItemsQuery


@pytest.mark.parametrize("text", ["0", "00", "x", ""])
def test_search_arm_and_trial_are_kept_when_paging(text: str) -> None:
    query = ItemsQuery(trial=text, arm=text, words=text, start=25)
    fields = dict(pair.split("=") for pair in query.address(start="50")[1:].split("&"))
    assert ItemsQuery.of(fields) == ItemsQuery(trial=text, arm=text, words=text, start=50)


def test_default_query_values_are_left_out_of_addresses() -> None:
    assert ItemsQuery(words="tides", start=25, item=3).address(start="0", item="0") == "?q=tides"
