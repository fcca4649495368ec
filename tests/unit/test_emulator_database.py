"""What an emulator holds in memory to look at is what its database holds, whatever was put, removed or taken back."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from promptrial_emulator.database import Collection, Database


class Thing(msgspec.Struct):
    id: str
    serial: int
    text: str = ""

    @property
    def open(self) -> bool:
        return False


def refuse(*, sometimes: bool) -> None:
    if sometimes:
        raise LookupError


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "state.sqlite")


def test_a_collection_stays_consistent_after_any_changes_and_rollbacks(database: Database) -> None:
    things, rng = Collection(database, "thing", Thing), random.Random(1)  # noqa: S311 - not for secrets
    for _ in range(300):
        thing = Thing(f"t{rng.randrange(20)}", rng.randrange(9), rng.choice("abc"))
        with suppress(LookupError), database.transaction():
            things.remove(thing.id) if rng.random() < 0.3 else things.put(thing)
            thing.text = "changed after it was put"
            refuse(sometimes=rng.random() < 0.2)
        if rng.random() < 0.5:
            assert things.to_look_at() == sorted(things.all(), key=lambda each: (each.serial, each.id))
    with database.transaction():
        database.clear(kept=["secret"])
    assert things.to_look_at() == things.all() == []


def test_objects_with_the_same_number_keep_the_order_of_the_database(database: Database) -> None:
    things = Collection(database, "thing", Thing)
    for name in ("c", "a", "b"):
        with database.transaction():
            things.put(Thing(name, 7))
    assert things.to_look_at() == things.all()
