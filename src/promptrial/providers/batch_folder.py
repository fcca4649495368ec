"""The folder of an instance of ``batch_file``: a file of requests and a record a job, and which files answer it.

::

    KEY.requests.jsonl    what is asked, for a program or an upload page to take
    KEY.job.json          that the job is asked for, of which requests and which model
    KEY.results.jsonl     where ``vllm run-batch`` is told to write

Answers may have other names. A file belongs to the job whose key is in its name, such as ``KEY_output.jsonl``; one
whose name holds no key, such as a vendor's ``batch_abc_output.jsonl``, to the job that asks what it answers. What was
there before a later attempt was written never answers that attempt: an error file names the very requests that it asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from promptrial.documents.files import open_regular
from promptrial.errors import PermanentError
from promptrial.providers.request_rows import row_id
from promptrial.store import atomic, jsonl
from promptrial.store.atomic import AtomicFile
from promptrial.store.downloads import BOM, MAX_LINE

__all__ = ["BatchFolder", "FileJob"]

_REQUESTS: Final = ".requests.jsonl"
_RECORD: Final = ".job.json"
_RESULTS: Final = ".results.jsonl"
_LARGEST_RECORD: Final = 1 << 20
_ATTEMPT: Final = re.compile(r"-a(\d+)$")
_Stamp = tuple[int, int]


class KnownFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of answers as it was, by whatever name: its size in bytes, and its SHA-256 (hex)."""

    size: int
    sha256: str


class FileJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job on record: its names, how many requests it has, and the SHA-256 (hex) of their file.

    ``earlier`` are the files, without a key in their names, that were there before it: they answer an earlier attempt.
    """

    key: str
    dataset_key: str
    model: str
    rows: int
    sha256: str
    cancelled: bool = False
    schema_version: int = 1
    earlier: tuple[KnownFile, ...] | msgspec.UnsetType = msgspec.UNSET


@dataclass(slots=True)
class BatchFolder:
    """One folder, and what was read of its files of requests.

    Parameters
    ----------
    path : Path
    """

    path: Path
    _ids: dict[str, tuple[_Stamp, frozenset[str]]] = field(default_factory=dict, repr=False)

    def requests(self, key: str) -> Path:
        """Return where the requests of a job are."""
        return self.path / f"{key}{_REQUESTS}"

    def results(self, key: str) -> Path:
        """Return where the answers of a job are best written."""
        return self.path / f"{key}{_RESULTS}"

    def write_requests(self, key: str, lines: Iterable[bytes]) -> str:
        """Write a file of requests at once; return its SHA-256 (hex)."""
        with AtomicFile(self.requests(key)) as file:
            for line in lines:
                file.write(line + b"\n")
        return file.sha256()

    def write_job(self, job: FileJob) -> None:
        """Put a job on record: from then on it is asked for."""
        atomic.write_bytes(self._record(job.key), msgspec.json.format(msgspec.json.encode(job), indent=2) + b"\n")

    def job(self, key: str) -> FileJob | None:
        """Return a job on record; None if there is none of this key.

        Raises
        ------
        PermanentError
            If its record is damaged.
        """
        path = self._record(key)
        try:
            with open_regular(path) as file:
                return msgspec.json.decode(file.read(_LARGEST_RECORD), type=FileJob)
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError, OSError) as error:
            raise PermanentError(
                f"{path}: is not a record of a job ({error})", hint="restore it from a copy"
            ) from error

    def cancel(self, job: FileJob) -> None:
        """Record that a job is no longer wanted, and take its requests away, so that nobody runs them."""
        self.write_job(msgspec.structs.replace(job, cancelled=True))
        atomic.remove(self.requests(job.key))

    def ids(self, job: FileJob) -> frozenset[str]:
        """Return the ids that a job asks for, from its file of requests.

        Raises
        ------
        PermanentError
            If that file does not exist, or is not what was written: answers to it would answer something else.
        """
        path = self.requests(job.key)
        try:
            stat = path.stat()
            stamp = stat.st_size, stat.st_mtime_ns
            known = self._ids.get(job.key)
            if known is None or known[0] != stamp:
                self._require_unchanged(job, path)
                known = self._ids[job.key] = stamp, frozenset(map(row_id, jsonl.lines(path)))
        except FileNotFoundError:
            raise PermanentError(
                f"{path}: no longer exists, so its answers cannot be checked",
                hint=(
                    f"restore it, and resume; or delete {self._record(job.key).name}, and ask its requests again "
                    "with --rebuy"
                ),
            ) from None
        except OSError as error:
            raise PermanentError(
                f"{path}: cannot be read: {error.strerror or error}", hint="make it readable"
            ) from error
        return known[1]

    def answer_files(self, job: FileJob) -> list[Path]:
        """Return the files that answer a job, in the order of their names.

        Raises
        ------
        PermanentError
            If a file may answer this job or another one, and its name does not say which.
        """
        jobs = self._keys()
        others = cache(lambda: [*self._jobs(jobs - {job.key})])  # many files, and one look at the records
        found = []
        for path in self._answers():
            named = {key for key in jobs if _names(path.name, key)}
            if job.key in named or (not named and self._answers_alone(path, job, others)):
                found.append(path)
        return found

    def there_before(self, key: str) -> tuple[KnownFile, ...]:
        """Return the files of answers that are there before an attempt of this key, and do not name a job.

        Before the first attempt only those that answer another job: any other may have been brought ahead of its job.
        """
        jobs = self._keys()
        unnamed = (path for path in self._answers() if not any(_names(path.name, each) for each in jobs))
        if not any(_part(each) == _part(key) for each in jobs - {key}):
            unnamed = (path for path in unnamed if self._is_taken(path, jobs - {key}))
        return tuple(_known(path) for path in unnamed)

    def _is_taken(self, path: Path, keys: Iterable[str]) -> bool:
        """Whether a file answers one of these jobs, to judge by its first row."""
        here = _first_id(path)
        return here is not None and any(not other.cancelled and self._asks(other, here) for other in self._jobs(keys))

    def other_models(self, job: FileJob) -> frozenset[str]:
        """Return the models that other jobs in the folder ask, and this one does not."""
        return frozenset(other.model for other in self._jobs(self._keys())) - {job.model}

    def _answers_alone(self, path: Path, job: FileJob, others: Callable[[], list[FileJob]]) -> bool:
        """Whether a file whose name says nothing answers this job, and no other one."""
        here = _first_id(path)
        if here is None or here not in self.ids(job) or _is_older(path, job):
            return False
        asking = (other for other in others() if not other.cancelled and self._asks(other, here))
        rivals = [other.key for other in asking if not _is_older(path, other)]
        earlier = [key for key in rivals if _part(key) == _part(job.key)]
        if any(_attempt(key) > _attempt(job.key) for key in earlier):
            return False  # the later attempt asks it again, and has no other file
        apart = [key for key in rivals if key not in earlier]
        if apart:
            raise PermanentError(
                f"{path}: may answer {job.key} or {apart[0]}, which have requests with the same ids",
                hint=f"rename it to {self.results(job.key).name}, or to the name of the other one",
            )
        return True

    def _asks(self, other: FileJob, wire_id: str) -> bool:
        try:
            return wire_id in self.ids(other)
        except PermanentError:  # another part's file; its own look says what is wrong with it
            return False

    def _require_unchanged(self, job: FileJob, path: Path) -> None:
        if jsonl.digest(path).sha256 != job.sha256:
            raise PermanentError(
                f"{path}: was changed after it was written, so its answers belong to other requests",
                hint=(
                    f"restore it, and resume; or delete {self._record(job.key).name}, and ask its requests again "
                    "with --rebuy"
                ),
            )

    def _keys(self) -> set[str]:
        return {path.name.removesuffix(_RECORD) for path in self._files(_RECORD)}

    def _jobs(self, keys: Iterable[str]) -> Iterator[FileJob]:
        """Yield the jobs of these keys that are still on record."""
        return (job for key in keys if (job := self.job(key)) is not None)

    def _answers(self) -> Iterator[Path]:
        """Yield the files that may hold answers."""
        return (path for path in self._files(".jsonl") if not path.name.endswith(_REQUESTS))

    def _files(self, ending: str) -> Iterator[Path]:
        if self.path.is_dir():
            found = (path for path in self.path.iterdir() if path.name.endswith(ending))
            yield from sorted(path for path in found if not path.name.startswith(".") and path.is_file())

    def _record(self, key: str) -> Path:
        return self.path / f"{key}{_RECORD}"


def _names(name: str, key: str) -> bool:
    """Whether a name holds a key, and not one that the key is the beginning or the end of."""
    return re.search(rf"(?<![a-z0-9-]){re.escape(key)}(?![a-z0-9])", name) is not None


def _first_id(path: Path) -> str | None:
    """Return the id of the first row that has one; None for a file of something else, which may be one huge line."""
    try:
        with open_regular(path) as file:
            while line := file.readline(MAX_LINE + 1):
                if row := line.removeprefix(BOM).strip():
                    return row_id(row)
    except (ValueError, OSError):
        return None
    return None


def _known(path: Path) -> KnownFile:
    found = jsonl.digest(path)
    return KnownFile(found.size, found.sha256)


def _is_older(path: Path, job: FileJob) -> bool:
    """Whether a file was there before a job, and has not changed since."""
    earlier = job.earlier or ()
    size = path.stat().st_size
    return any(each.size == size for each in earlier) and _known(path) in earlier


def _part(key: str) -> str:
    return _ATTEMPT.sub("", key)


def _attempt(key: str) -> int:
    found = _ATTEMPT.search(key)
    return int(found.group(1)) if found else 0
