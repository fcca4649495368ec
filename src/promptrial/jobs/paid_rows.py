"""The rows of a part that were paid for one by one: what can be read is kept, and none is bought twice unasked.

Answers that this process computes can be computed again for nothing; these cannot. What is left of sealed answers that
were damaged is taken, and the rest is asked again only with ``--rebuy``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.errors import OverCapError, ResultsGoneError
from promptrial.jobs.answers import Answers
from promptrial.jobs.billing import count_billed, difference, with_unanswered
from promptrial.jobs.budget import dearest_usd
from promptrial.jobs.local import PartRows, finished_rows
from promptrial.jobs.request_files import most_bytes
from promptrial.providers.request_rows import row_id
from promptrial.store import atomic, jsonl
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import BilledTokens, FileRecord, Intent, PartStatus

__all__ = ["PaidRows"]

_FIRST: Final = "-a1"
"""What the key of the record of all requests of a part ends in."""


@dataclass(frozen=True, slots=True)
class PaidRows(PartRows):
    """The rows of one part of a live provider.

    ``rebuy`` is permission to ask again what was sealed and is lost.
    """

    rebuy: bool = False

    def begin(self, finished: int, in_flight: int) -> None:
        """Record that the requests are asked for that have no row yet, and how many of them at once.

        What they may cost counts until their rows are sealed; of those that are here, what they report. Where an
        earlier process ended with requests in flight, these may have been billed: they count permanently.

        Raises
        ------
        OverCapError
            If they do not fit into the cap.
        """
        left = self.work.part.rows - finished
        self.settle(finished)
        known = self._known(self._key)
        began = self.recorder.clock.now() if known is None else None
        has_begun = known is not None or finished > self.work.rows_reused
        billed = self._billed_so_far() if has_begun else None
        with self.recorder.budget.deciding():
            self._require_room(known, left)
            self._record("running", began=began, billed=billed, in_flight=min(in_flight, left))
        self.recorder.budget.release(self.work.name)

    def settle(self, finished: int) -> None:
        """Count what an earlier process had in flight when it ended: once, also if nothing is asked now."""
        known = self._known(self._key)
        if known is not None and known.in_flight:
            self.count_unsure(min(known.in_flight, self.work.part.rows - finished))
            self.pause()

    def pause(self) -> None:
        """Record that no request is in flight: only what the rows that are here report counts then."""
        billed = self._billed(self.work.folder.part_rows(self.work.part.name))
        self._record("running", billed=billed, in_flight=0)

    def count_unsure(self, rows: int) -> bool:
        """Count requests that may have been billed though no answer came; return whether the cap still holds.

        Side effects: a record, unless they cost nothing. What has no price may cost something.
        """
        work, key, dearest = self.work, f"{self._key_prefix}-unsure", dearest_usd(self.work, 1)
        if not rows or (not dearest and self.recorder.budget.price_of(work.model) is not None):
            return True
        known = self._known(key)
        total = rows + (0 if known is None else known.rows or 0)
        self.recorder.record_lost(
            work,
            key,
            "may have been billed, though no answer came",
            rows=total,
            **({"reserved_usd": total * dearest} if dearest else {}),
            began=self.recorder.clock.now() if known is None else None,
        )
        return self.recorder.budget.holds(work, dearest)

    def _require_room(self, known: Intent | None, left: int) -> None:
        work, budget = self.work, self.recorder.budget
        if known is None:
            budget.require(work, self._key, self._asked, self._price(self._asked)["reserved_usd"] or 0.0)
        elif not budget.admits(work.name, left, dearest_usd(work, left)):
            raise OverCapError(f"its {left} remaining requests exceed the cap")

    def _billed_so_far(self) -> BilledTokens:
        here = self._billed(self.work.folder.part_rows(self.work.part.name))
        return with_unanswered(here, self._asked)

    def finish(self) -> None:
        """Seal the rows, and record what they report.

        Raises
        ------
        PermanentError
            If requests were left unanswered: a resume asks for those.
        """
        self.record_sealed(self.seal())

    def record_sealed(self, results: FileRecord, **fields: Any) -> None:  # noqa: ANN401 - of PartEvent
        """Put sealed rows on record, and what they report."""
        if not self._asked:
            self.recorder.record(self.work, "downloaded", results=results, **fields)
            return
        billed = self._billed(self.work.folder.part_results(self.work.part.name))
        self._record("downloaded", results=results, billed=billed, in_flight=0, **fields)

    @property
    def _asked(self) -> int:
        """How many requests this run asks: not those whose answers were taken over from another one."""
        return self.work.part.rows - self.work.rows_reused

    @property
    def _key(self) -> str:
        return f"{self._key_prefix}{_FIRST}"

    @property
    def _key_prefix(self) -> str:
        """What keys of records of these requests begin with: as at first, whatever the run is called or shares now."""
        same = (intent.key for intent in self.work.live if intent.request_sha256 == self.work.request_sha256)
        first = next((key for key in same if key.endswith(_FIRST)), None)
        return self.work.key if first is None else first.removesuffix(_FIRST)

    def _known(self, key: str) -> Intent | None:
        return next((intent for intent in self.work.live if intent.key == key), None)

    def _record(self, status: PartStatus, **fields: Any) -> None:  # noqa: ANN401 - of PartEvent
        work = self.work
        facts = {"key": self._key, "live": True, "request_sha256": work.request_sha256, **self._price(self._asked)}
        self.recorder.record(work, status, **facts, **fields)

    def _price(self, rows: int) -> dict[str, Any]:
        work = self.work
        size = most_bytes(work.folder.requests(work.part.name), rows)
        return {
            "rows": rows,
            "estimated_usd": work.estimate_usd(rows, size),
            "reserved_usd": work.reserve_usd(rows, size),
        }

    def _billed(self, path: Path) -> BilledTokens:
        reused = Answers(self.work, self.recorder).ids()
        wanted = {row.custom_id for row in self.work.requests()} - reused
        return count_billed(_lines([path]), wanted, self.work.provider().parse_row)

    def _record_lost(self, rows: int) -> None:
        """Keep what answers cost that are lost, before their requests are asked again.

        The key tells what was sealed, so that a kill right after this leaves no second record.
        """
        work, known = self.work, self._known(self._key)
        sealed = work.record.results
        billed = BilledTokens(rows=rows, unknown=rows)
        if known is not None and isinstance(known.billed, BilledTokens):
            billed = difference(known.billed, self._billed(work.folder.part_rows(work.part.name)))
        key = f"{self._key_prefix}-lost-{'' if sealed is None else sealed.sha256[:8]}"
        self.recorder.record_lost(work, key, "its answers are lost", billed=billed, **self._price(rows))

    def _unseal(self) -> None:
        """Take sealed results for the rows that they are; all that can be read, where they are not as they were.

        Raises
        ------
        ResultsGoneError
            If answers that were sealed are lost, without permission to pay for them again.
        """
        work = self.work
        sealed, rows = work.folder.part_results(work.part.name), work.folder.part_rows(work.part.name)
        was_sealed = work.record.status == "downloaded"
        if sealed.exists() and (was_sealed or rows.exists()):
            self._keep_what_can_be_read([rows, sealed])
            aside = atomic.set_aside(sealed)
            self.recorder.events.warn(
                f"{work.name}: {sealed.name} was renamed to {aside.name}: it has changed since it was saved"
            )
        elif sealed.exists():
            atomic.publish(sealed, rows)
        if was_sealed:
            self._require_leave()
        else:
            self._require_answers_on_record()

    def _require_answers_on_record(self) -> None:
        """Keep what answers cost that were counted before they were sealed, and are no longer here.

        A kill between the two records counts them twice, and never not at all.

        Raises
        ------
        ResultsGoneError
            If there are some, without permission to pay for them again.
        """
        work, known = self.work, self._known(self._key)
        if known is None or not isinstance(known.billed, BilledTokens):
            return
        self.finished()  # drops what cannot be read
        here = self._billed(work.folder.part_rows(work.part.name))
        all_told = known.in_flight == 0  # of requests in flight it is not known which had an answer
        came, left = (each.rows if all_told else each.answered for each in (known.billed, here))
        gone = came - left
        if gone <= 0:
            return
        lost = f"{gone} of its {came} answers so far were paid for and are lost"
        if not self.rebuy:
            raise ResultsGoneError(lost, hint=self._price_of_asking(gone, work.folder.part_rows(work.part.name)))
        unknown = max(0, known.billed.unknown - here.unknown) if all_told else 0
        billed = msgspec.structs.replace(difference(known.billed, here), rows=gone, unknown=min(gone, unknown))
        key = f"{self._key_prefix}-lost-{sum('-lost-' in intent.key for intent in work.live) + 1}"
        self.recorder.record_lost(work, key, "its answers are lost", billed=billed, **self._price(gone))
        self.pause()
        self.recorder.events.warn(f"{work.name}: {lost}; they are asked again")

    def _require_leave(self) -> None:
        work, left = self.work, self.work.part.rows - len(self.finished())
        if left:
            lost = f"{left} of its {work.part.rows} answers were paid for and are lost"
            if not self.rebuy:
                raise ResultsGoneError(lost, hint=self._price_of_asking(left, work.folder.part_results(work.part.name)))
            self._record_lost(left)
            self.pause()  # so that what is left to ask is known before it is started
            self.recorder.events.warn(f"{work.name}: {lost}; they are asked again")
        else:
            self.recorder.events.warn(f"{work.name}: all {work.part.rows} answers can still be read, and are kept")

    def _price_of_asking(self, rows: int, file: Path) -> str:
        work, usd = self.work, self._price(rows)["estimated_usd"]
        price = "at an unknown price" if usd is None else f"about {usd:.4g} USD"
        return (
            f"put {file} back, if you have a copy; or ask these {rows} "
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
