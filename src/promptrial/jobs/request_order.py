"""Rows that came in any order, brought into the order of their requests, so that bytes do not depend on timing."""

from __future__ import annotations

from promptrial.documents.files import open_regular
from promptrial.jobs.work import PartWork
from promptrial.providers.request_rows import row_id
from promptrial.store.atomic import AtomicFile

__all__ = ["in_order"]


def in_order(work: PartWork) -> None:
    """Rewrite the rows of a part that are not sealed yet in the order of its requests, at once, if they are in another.

    Memory is O(rows), for their ids and places. Of two rows of one request the first is kept; one of no request is left
    out.
    """
    path = work.folder.part_rows(work.part.name)
    if not path.exists():
        return
    wanted = [row.custom_id for row in work.requests()]
    with open_regular(path) as rows:
        places: dict[str, tuple[int, int]] = {}
        order, start = [], 0
        for line in rows:
            wire_id = row_id(line)
            order.append(wire_id)
            places.setdefault(wire_id, (start, len(line)))
            start += len(line)
        if order == wanted:
            return
        with AtomicFile(path) as file:
            for wire_id in wanted:
                if wire_id in places:
                    start, size = places[wire_id]
                    rows.seek(start)
                    file.write(rows.read(size))
