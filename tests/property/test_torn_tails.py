"""A kill during an append tears the last line at any byte; the repair leaves exactly the complete lines."""

import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from promptrial.store import jsonl

bodies = st.lists(st.binary(max_size=12).map(lambda body: body.replace(b"\n", b"|")), max_size=8)


@given(bodies, st.data())
def test_any_prefix_of_a_valid_file_is_repaired_to_its_complete_lines(lines: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    prefix = whole[: data.draw(st.integers(0, len(whole)))]
    chunk = data.draw(st.integers(1, 20))
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(jsonl, "_CHUNK", chunk):
        path = Path(folder) / "rows.jsonl"
        path.write_bytes(prefix)
        cut = jsonl.repair_tail(path)
        repaired = path.read_bytes()
        again = jsonl.repair_tail(path)
    assert repaired + prefix[len(repaired) :] == prefix
    assert cut == len(prefix) - len(repaired)
    assert again == 0
    assert repaired == b"".join(line + b"\n" for line in lines[: prefix.count(b"\n")])
