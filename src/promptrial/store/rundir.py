"""The folder of one run: where each file stands, and the one decision of whether a phase is done.

Done means that a phase's receipt matches the disk (every artifact has the recorded size and SHA-256) and the plan
(every input digest is still the same). A file that merely exists proves nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from promptrial.config.effective import canonical_json
from promptrial.config.environment import place_flag
from promptrial.documents.files import NotARegularFileError, check_regular
from promptrial.errors import PromptrialError, UsageError
from promptrial.store import jsonl
from promptrial.store.journal import Journal, fold
from promptrial.store.records import FileRecord, Receipt, TrialManifest, load

__all__ = ["OLDER", "RUN_ID_PATTERN", "RunDir", "TrialDir", "changed_inputs", "check_run_id", "digest_of"]

OLDER: Final = "older"
"""The folder, of a trial and of the run, to which a migration moves what the older tool had made."""
RUN_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_run_id(run_id: str) -> str:
    """Return the run id if it may become a folder name.

    Raises
    ------
    UsageError
        If it does not match ``[A-Za-z0-9][A-Za-z0-9._-]{0,63}``.
    """
    if not RUN_ID_PATTERN.fullmatch(run_id):
        raise UsageError(f"--run_id {run_id!r}: expected a letter or digit, then at most 63 of letters, digits, . _ -")
    return run_id


def digest_of(value: object) -> str:
    """Return the SHA-256 (hex) of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def changed_inputs(receipt: Receipt | None, inputs: Mapping[str, str]) -> list[str]:
    """Return the names of the inputs whose digest is not the one of a receipt, sorted; none without a receipt."""
    if receipt is None:
        return []
    return sorted(name for name in {*inputs, *receipt.inputs} if inputs.get(name) != receipt.inputs.get(name))


class RunDir:
    """Paths of one run below ``experiments/run_<RID>`` and the check of its artifacts. Equal if the folder is.

    Digests of unchanged files (same size, inode, and times of change) are computed once per process.
    """

    def __init__(self, experiments: Path, run_id: str) -> None:
        self.run_id = check_run_id(run_id)
        self.root = experiments / f"run_{run_id}"
        self._seen: dict[Path, tuple[tuple[int, int, int, int], str]] = {}

    def __eq__(self, other: object) -> bool:
        """Whether both are the same folder."""
        return isinstance(other, RunDir) and self.root == other.root

    def __hash__(self) -> int:
        """Return the hash of the folder."""
        return hash(self.root)

    def __reduce__(self) -> tuple[type[RunDir], tuple[Path, str]]:
        """Return what a pickle holds: the folder, and no digest, which another process computes for itself."""
        return RunDir, (self.root.parent, self.run_id)

    state_path = property(lambda self: self.root / "run_state.json")
    lock_path = property(lambda self: self.root / ".state.lock")
    sentinel_path = property(lambda self: self.root / "STOP_REQUESTED")
    config_path = property(lambda self: self.root / "effective_config.yaml")
    log_path = property(lambda self: self.root / "run.log")
    prepared = property(lambda self: self.root / "prepared")
    batch_inputs = property(lambda self: self.root / "batch_inputs")
    emulator = property(lambda self: self.root / ".emulator")
    aggregate_report = property(lambda self: self.root / "aggregate_report.md")

    @property
    def place(self) -> str:
        """The flag that a command needs to find the run, with a space before it; empty where the default does."""
        return place_flag(self.root.parent)

    def command(self, verb: str) -> str:
        """Return what a person types to use a verb on this run."""
        return f"promptrial {verb} --run_id {self.run_id}{self.place}"

    @property
    def resume_command(self) -> str:
        """What a person types to go on with the run."""
        return f"{self.command('run')} --resume"

    @property
    def rebuild_command(self) -> str:
        """What a person types to go on with a run of which nothing but its id is known."""
        return f"promptrial resume {self.run_id}{self.place}"

    def trial(self, slug: str) -> TrialDir:
        """Return the folder of one trial."""
        return TrialDir(self, slug)

    def relative(self, path: Path) -> str:
        """Return a path as it stands in receipts: relative to the run root, with forward slashes."""
        return path.relative_to(self.root).as_posix()

    def record(self, path: Path, rows: int | None = None) -> FileRecord:
        """Return the file record of a file as it is now."""
        return FileRecord(self._sha256(path), path.stat().st_size, rows)

    def problem(self, receipt: Receipt | None, inputs: Mapping[str, str]) -> str:
        """Return why a phase with this receipt is not done, in a few words; empty if it is done.

        Parameters
        ----------
        receipt : Receipt or None
            None when the phase never finished.
        inputs : mapping
            The digests that the phase would be made from now.
        """
        if receipt is None:
            return "not done yet"
        if changed := changed_inputs(receipt, inputs):
            return f"{', '.join(changed)} changed"
        return next((text for path, file in receipt.artifacts.items() if (text := self.file_problem(path, file))), "")

    def file_problem(self, relative: str, expected: FileRecord) -> str:
        """Return ``X missing``, ``X damaged``, ``X is a link, ...`` or an empty text for one artifact.

        Raises
        ------
        PromptrialError
            If a folder on the way to it is a link: nothing is read or moved there.
        """
        path = self.root / relative
        self._check_folders(path)
        try:
            check_regular(path)
            if path.stat().st_size != expected.size or self._sha256(path) != expected.sha256:
                return f"{path.name} damaged"
        except NotARegularFileError as error:
            return f"{path.name} is {error.strerror}"
        except (FileNotFoundError, NotADirectoryError):
            return f"{path.name} missing"
        except IsADirectoryError:
            return f"{path.name} damaged"
        return ""

    def check_links(self) -> None:
        """Refuse a run with a link in the place of a folder: what is written below it would stand elsewhere.

        Raises
        ------
        PromptrialError
            Names the link.
        """
        for folder, names, _ in os.walk(self.root):
            for name in names:
                path = Path(folder) / name
                if path.is_symlink():
                    raise _linked(path)

    def _check_folders(self, path: Path) -> None:
        for folder in path.parents:
            if folder == self.root:
                return
            if folder.is_symlink():
                raise _linked(folder)

    def _sha256(self, path: Path) -> str:
        stat = path.lstat()
        key = (stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
        known = self._seen.get(path)
        if known is None or known[0] != key:
            known = (key, jsonl.digest(path, follow_links=False).sha256)
            self._seen[path] = known
        return known[1]


def _linked(path: Path) -> PromptrialError:
    return PromptrialError(
        f"{path}: a link; a run holds only plain folders",
        hint="put the folder itself in its place (the whole run may stand elsewhere: --experiments_dir)",
    )


class TrialDir:
    """Paths of one trial, its manifest and its journal."""

    def __init__(self, run: RunDir, slug: str) -> None:
        self.run = run
        self.slug = slug
        self.root = run.root / slug
        self.results = self.root / "results"
        self.reports = self.root / "reports"
        self.manifest_path = self.results / "trial_manifest.json"
        self.journal = Journal(self.results / "jobs.journal.jsonl")

    def requests(self, part: str) -> Path:
        """Return the request file of a part."""
        return Path(self.run.batch_inputs / self.slug / f"{part}.jsonl")

    def part_results(self, part: str) -> Path:
        """Return the finished results of a part."""
        return self.results / part / "results.jsonl"

    def part_rows(self, part: str) -> Path:
        """Return the file to which rows are appended until the part is complete."""
        return self.results / part / "results.partial.jsonl"

    def load_manifest(self) -> TrialManifest | None:
        """Return the manifest with the journal folded in; None if the trial has not begun.

        Raises
        ------
        CorruptRecordError
            If the manifest or the journal is damaged.
        """
        try:
            manifest = load(self.manifest_path, TrialManifest)
        except FileNotFoundError:
            return None
        fold(manifest.parts, self.journal.read())
        return manifest
