"""What is reserved for some requests of a file covers whichever of them are asked."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

from promptrial.jobs.request_files import most_bytes


def test_no_selection_of_requests_has_more_bytes_than_counted(tmp_path: Path) -> None:
    lines = [b'{"a":1}', b'{"a":"' + "東京".encode() * 9 + b'"}', b'{"a":22}', b'{"a":"longer"}']
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    for rows in range(len(lines) + 1):
        sizes = [sum(len(line) + 1 for line in chosen) for chosen in combinations(lines, rows)]
        assert most_bytes(path, rows) == max(sizes)
    assert most_bytes(path, len(lines)) == path.stat().st_size
