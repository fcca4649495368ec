"""The request file of each attempt: the built one first, then files of what earlier attempts have left unanswered.

The later ones have no receipt, and need none: each is a part of the built file, of a length that the attempt's record
knows, and can be made again from that file and the earlier answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from promptrial.errors import ResultsGoneError
from promptrial.jobs.answers import Answers
from promptrial.jobs.work import PartWork
from promptrial.providers.request_rows import row_id
from promptrial.store import jsonl
from promptrial.store.atomic import AtomicFile

__all__ = ["RequestFiles", "most_bytes"]


def most_bytes(path: Path, rows: int) -> int:
    """Return the most bytes that so many requests of a file have, whichever they are: those of the longest lines."""
    lengths = sorted((len(line) + 1 for line in jsonl.lines(path)), reverse=True)
    return sum(lengths[:rows])


@dataclass(frozen=True, slots=True)
class RequestFiles:
    """The request files of one part."""

    work: PartWork
    answers: Answers

    def new(self, attempt: int, unanswered: frozenset[str] | None) -> Path:
        """Return the file of an attempt that is about to be made, written if it is not the built one.

        Parameters
        ----------
        attempt : int
        unanswered : frozenset of str or None
            The wire ids still to be asked; None stands for all of the part's.
        """
        if attempt > 1:
            self._write(attempt, lambda wire_id: unanswered is None or wire_id in unanswered)
        return self._path(attempt)

    def sent(self, attempt: int) -> Path:
        """Return the file of an attempt that was made before; one that is lost or damaged is made again.

        Raises
        ------
        ResultsGoneError
            If it is no longer known what it held, so that its answers cannot be recognised.
        """
        path, rows = self._path(attempt), self._rows(attempt)
        if attempt == 1 or self._is_whole(path, rows):
            return path
        answered = self.answers.ids(before=attempt)
        self._write(attempt, lambda wire_id: wire_id not in answered)
        if not self._is_whole(path, rows):
            raise ResultsGoneError(
                f"{path.name} is missing or damaged, and cannot be rebuilt: of the {rows} requests of attempt "
                f"{attempt}, {jsonl.count(path)} can be identified from the earlier answers",
                hint="restore the file, if you have a copy; or ask again the requests without an answer: "
                f"{self.work.folder.run.resume_command} --rebuy",
            )
        self.answers.recorder.events.warn(f"{self.work.name}: {path.name} was missing or damaged; it was rebuilt")
        return path

    def _path(self, attempt: int) -> Path:
        if attempt == 1:
            return self.work.folder.requests(self.work.part.name)
        return self.answers.folder / f"requests.a{attempt}.jsonl"

    def _rows(self, attempt: int) -> int | None:
        return next((intent.rows for intent in self.work.intents if intent.attempt == attempt), None)

    def _write(self, attempt: int, wanted: Callable[[str], bool]) -> None:
        with AtomicFile(self._path(attempt)) as file:
            for line in jsonl.lines(self._path(1)):
                if wanted(row_id(line)):
                    file.write(line + b"\n")

    def _is_whole(self, path: Path, rows: int | None) -> bool:
        """Whether a file is there and holds so many lines of the built one, in its order, and nothing else."""
        if not path.exists():
            return False
        built, count = jsonl.lines(self._path(1)), 0
        for count, line in enumerate(jsonl.lines(path), 1):  # noqa: B007 - counted
            if line not in built:  # continues after the line found before
                return False
        return rows is None or count == rows
