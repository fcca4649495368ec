"""Any tree of files goes into an archive and comes out as it was, whatever the place; the same tree gives the same."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from promptrial.archive.addresses import place_to_write
from promptrial.archive.manifest import OWN_FILES
from promptrial.archive.reading import verify
from promptrial.archive.restoring import restore
from promptrial.runtime.clock import SystemClock
from tests.support.archives import make_run, put, read_tree

LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\")
STEP = st.text(LETTERS, min_size=1, max_size=12).filter(
    lambda step: step not in {".", ".."} and not step.endswith(".tmp") and step[1:2] != ":" and len(step.encode()) < 200
)
PATH = st.lists(STEP, min_size=1, max_size=4).map("/".join)
CONTENT = st.binary(max_size=200) | st.builds(
    lambda piece, n: piece * n, st.binary(min_size=1, max_size=9), st.just(9000)
)
TREE = st.dictionaries(PATH, CONTENT, max_size=6)
NUMBER = itertools.count()


@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("kind", ["file", "folder", "object", "tree"])
@given(files=TREE)
def test_any_tree_of_files_is_unpacked_unchanged(kind: str, files: dict[str, bytes]) -> None:
    folders = {path[:at] for path in files for at, letter in enumerate(path) if letter == "/"}
    assume(not folders & files.keys() and not files.keys() & {*OWN_FILES, ".state.lock", "STOP_REQUESTED", ".emulator"})
    with tempfile.TemporaryDirectory() as folder:
        root, url = Path(folder), f"memory://property{next(NUMBER)}/x"
        where = {"file": f"{root}/x.tar.zst", "folder": f"{root}/x", "object": f"{url}.tar.zst", "tree": url}[kind]
        place, run = place_to_write(where, {}), make_run(root / "old", files)
        manifest = put(place, run)
        seen = verify(place)
        assert seen.manifest == manifest
        assert seen.differences == ()
        restored = read_tree(restore(place, root / "new", None, SystemClock()).run.root)
        assert restored.pop(".state.lock") == b""
        assert restored == files
        if kind == "file":
            again = place_to_write(f"{root}/again.tar.zst", {})
            put(again, make_run(root / "elsewhere", dict(reversed(files.items()))))
            assert (root / "again.tar.zst").read_bytes() == (root / "x.tar.zst").read_bytes()
        if kind in {"object", "tree"}:
            place.withdraw()
