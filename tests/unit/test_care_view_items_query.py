"""The address of a page of items says all that the page shows."""

import pytest

from promptrial.care.view.items_query import ItemsQuery


@pytest.mark.parametrize("text", ["0", "00", "x", ""])
def test_a_search_an_arm_and_a_trial_of_any_name_stay_when_a_page_is_turned(text: str) -> None:
    query = ItemsQuery(trial=text, arm=text, words=text, start=25)
    fields = dict(pair.split("=") for pair in query.address(start="50")[1:].split("&"))
    assert ItemsQuery.of(fields) == ItemsQuery(trial=text, arm=text, words=text, start=50)


def test_what_is_as_it_is_without_a_word_is_left_out() -> None:
    assert ItemsQuery(words="tides", start=25, item=3).address(start="0", item="0") == "?q=tides"
