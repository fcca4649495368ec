"""The rows of a part that were paid for one by one: what can be read is kept, and none is bought twice unasked.

Answers that this process computes can be computed again for nothing; these cannot. What is left of sealed answers that
were damaged is taken, and the rest is asked again only with ``--rebuy``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from promptrial.errors import ResultsGoneError
from promptrial.jobs.local import PartRows, finished_rows
from promptrial.providers.request_rows import row_id
from promptrial.store import atomic, jsonl
from promptrial.store.atomic import AtomicFile

__all__ = ["PaidRows"]


@dataclass(frozen=True, slots=True)
class PaidRows(PartRows):
    """The rows of one part of a live provider.

    ``rebuy`` is leave to ask again what was sealed and is lost.
    """

    rebuy: bool = False

    def _unseal(self) -> None:
        """Take sealed results for the rows that they are; all that can be read, where they are not as they were.

        Raises
        ------
        ResultsGoneError
            If answers that were sealed are lost, without leave to pay for them again.
        """
        work = self.work
        sealed, rows = work.folder.part_results(work.part.name), work.folder.part_rows(work.part.name)
        was_sealed = work.record.status == "downloaded"
        if sealed.exists() and (was_sealed or rows.exists()):
            self._keep_what_can_be_read([rows, sealed])
            aside = atomic.set_aside(sealed)
            self.recorder.events.warn(f"{work.name}: {sealed.name} set aside as {aside.name}: not what was sealed")
        elif sealed.exists():
            atomic.publish(sealed, rows)
        if was_sealed:
            self._require_leave()

    def _require_leave(self) -> None:
        work, left = self.work, self.work.part.rows - len(self.finished())
        if left:
            lost = f"{left} of its {work.part.rows} answers were paid for and are lost"
            if not self.rebuy:
                raise ResultsGoneError(lost, hint=self._price_of_asking(left))
            self.recorder.events.warn(f"{work.name}: {lost}; they are asked for again")
        else:
            self.recorder.events.warn(f"{work.name}: all {work.part.rows} answers can still be read, and are kept")

    def _price_of_asking(self, rows: int) -> str:
        work = self.work
        size = work.folder.requests(work.part.name).stat().st_size
        usd = work.estimate_usd(rows, size * rows // work.part.rows)
        price = "its price is not known" if usd is None else f"about {usd:.4g} USD"
        return (
            f"put {work.folder.part_results(work.part.name)} back as it was, if you have a copy; or ask these {rows} "
            f"requests again ({price}): {work.folder.run.resume_command} --rebuy"
        )

    def _without_damaged(self) -> frozenset[str]:
        """Return the ids of the rows that can be read; the others are dropped, and asked for again."""
        self._keep_what_can_be_read([self.work.folder.part_rows(self.work.part.name)])
        return finished_rows(self.work)

    def _keep_what_can_be_read(self, files: list[Path]) -> None:
        """Write the rows of files that answer a request of the part, the first of each, as the rows that are here."""
        wanted, damaged = {row.custom_id for row in self.work.requests()}, 0
        with AtomicFile(self.work.folder.part_rows(self.work.part.name)) as file:
            for line in _lines(files):
                try:
                    wire_id = row_id(line)
                except ValueError:
                    damaged += 1
                    continue
                if wire_id in wanted:
                    wanted.remove(wire_id)
                    file.write(line + b"\n")
        if damaged:
            self.recorder.events.warn(f"{self.work.name}: {damaged} rows are damaged; the others are kept")


def _lines(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        if path.exists():
            yield from jsonl.lines(path)
