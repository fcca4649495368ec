"""Texts in one Arrow array, which behave like a list."""

import numpy as np
import pyarrow as pa
import pytest

from promptrial.store import texts
from promptrial.store.texts import Texts

SAID = ["a", "", "b|1", "Ö", "a"]


def test_stored_texts_behave_like_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_AT_ONCE", 2)
    found = Texts.of(iter(SAID))
    assert len(found) == len(SAID)
    assert list(found) == SAID
    assert [found[-1], found[2], list(found[1:3])] == ["a", "b|1", ["", "b|1"]]
    assert "Ö" in found
    assert found.index("b|1") == 2
    assert pa.array(found).equals(found.array)
    assert found[np.arange(3)[2]] == "b|1"
    with pytest.raises(IndexError):
        found[5]


def test_an_empty_collection_of_texts_is_false() -> None:
    assert not Texts.of([])
