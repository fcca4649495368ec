"""The folder of one run: where each file is, and the one decision of whether a phase is done.

Done means that a phase's receipt matches the disk (every artifact has the recorded size and SHA-256) and the plan
(every input digest is still the same). A file that merely exists proves nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from promptrial.config.effective import canonical_json
from promptrial.config.environment import place_flag
from promptrial.documents.files import NotARegularFileError, check_regular, read_bytes
from promptrial.errors import PromptrialError, UsageError
from promptrial.model.arms import arm_of, is_judge
from promptrial.store.journal import Journal, fold
from promptrial.store.known_digests import KnownDigests
from promptrial.store.part_records import FileRecord
from promptrial.store.records import Receipt, TrialManifest, load

__all__ = [
    "OLDER",
    "RUN_ID_PATTERN",
    "RUN_NAME",
    "RunDir",
    "TrialDir",
    "changed_inputs",
    "check_holds_run",
    "check_run_id",
    "digest_of",
    "holds_run",
    "known_runs",
    "run_folders",
]

_Read = TypeVar("_Read")
_ATTEMPTS: Final = 50
"""How often records are read while another process changes them, which it does a few times in a run."""
OLDER: Final = "older"
"""The folder, of a trial and of the run, to which a migration moves what the older tool had made."""
RUN_NAME: Final = "a letter or digit, then at most 63 of letters, digits, . _ -"
"""What the name of a run is, in words."""
RUN_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_run_id(run_id: str) -> str:
    """Return the run id if it may become a folder name.

    Raises
    ------
    UsageError
        If it does not match ``[A-Za-z0-9][A-Za-z0-9._-]{0,63}``.
    """
    if not RUN_ID_PATTERN.fullmatch(run_id):
        raise UsageError(f"--run_id {run_id!r}: expected {RUN_NAME}")
    return run_id


def run_folders(experiments: Path) -> list[Path]:
    """Return what is named like the folder of a run, sorted; nothing if the folder that it is in does not exist.

    Raises
    ------
    OSError
        If that cannot be read: it may hold runs.
    """
    try:
        return sorted(path for path in experiments.iterdir() if path.name.startswith("run_"))
    except (FileNotFoundError, NotADirectoryError):
        return []


def known_runs(experiments: Path) -> list[str]:
    """Return the names of the runs in a folder, sorted; a folder whose name no run can have is left out."""
    names = (path.name.removeprefix("run_") for path in run_folders(experiments) if path.is_dir())
    return [name for name in names if RUN_ID_PATTERN.fullmatch(name)]


def holds_run(run: RunDir) -> bool:
    """Whether the folder of a run is there and holds anything of one, prepared items and requests included.

    Whether a run was started there is another question: ``engine.origin.is_started``.
    """
    made = (run.state_path, run.config_path, run.prepared, run.batch_inputs)
    return any(path.exists() for path in made) or any(run.root.glob("*/results"))


def check_holds_run(run: RunDir) -> None:
    """Refuse a folder that has the name of a run and holds nothing of one.

    Raises
    ------
    UsageError
        Says how to start a run there.
    """
    if not holds_run(run):
        raise UsageError(
            f"{run.root} holds no run: it has no state, no configuration and no results",
            hint=f"remove the folder, or start a run of this name: {run.command('run')}",
        )


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

    Digests of unchanged files (same size, inode, and times of change) are computed once per process, and not even that
    after ``trust_kept_digests``.
    """

    def __init__(self, experiments: Path, run_id: str) -> None:
        self.run_id = check_run_id(run_id)
        self.root = experiments / f"run_{run_id}"
        self._root_text = str(self.root)
        self._digests = KnownDigests(self.root)
        self._looked: dict[str, tuple[FileRecord, str]] | None = None
        self._real: set[str] = set()

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
    prices_path = property(lambda self: self.root / "prices.json")
    labels_path = property(lambda self: self.root / "labels.json")
    log_path = property(lambda self: self.root / "run.log")
    prepared = property(lambda self: self.root / "prepared")
    batch_inputs = property(lambda self: self.root / "batch_inputs")
    emulator = property(lambda self: self.root / ".emulator")
    aggregate_report = property(lambda self: self.root / "aggregate_report.md")
    report_page = property(lambda self: self.root / "report.html")

    @property
    def place(self) -> str:
        """The flag that a command needs to find the run, with a space before it; empty where the default does."""
        return place_flag(self.root.parent)

    def command(self, verb: str) -> str:
        """Return what a person types to use a verb on this run."""
        return f"promptrial {verb} --run_id {self.run_id}{self.place}"

    @property
    def report_command(self) -> str:
        """What a person types to write the page of the run as it is."""
        return self.command("report")

    @property
    def resume_command(self) -> str:
        """What a person types to resume the run."""
        return f"{self.command('run')} --resume"

    @property
    def rebuild_command(self) -> str:
        """What a person types to resume a run of which only the id is known."""
        return f"promptrial resume {self.run_id}{self.place}"

    @property
    def name_config_command(self) -> str:
        """What a person types to resume a run whose own copy of its configuration is lost or damaged."""
        return f"{self.rebuild_command} --config path/to/config.yaml"

    def trial(self, slug: str) -> TrialDir:
        """Return the folder of one trial."""
        return TrialDir(self, slug)

    def relative(self, path: Path) -> str:
        """Return a path as it is in receipts: relative to the run root, with forward slashes."""
        text, root = str(path), self._root_text + os.sep  # as text: there may be thousands
        return text[len(root) :] if text.startswith(root) else path.relative_to(self.root).as_posix()

    def record(self, path: Path, rows: int | None = None) -> FileRecord:
        """Return the file record of a file as it is now."""
        return FileRecord(self._digests.sha256(path), path.stat().st_size, rows)

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
        real = self._folders_looked_at()
        found = (self._file_problem(path, file, real) for path, file in receipt.artifacts.items())
        return next(filter(None, found), "")

    def file_problem(self, relative: str, expected: FileRecord) -> str:
        """Return ``X missing``, ``X damaged``, ``X is a link, ...`` or an empty text for one artifact.

        Raises
        ------
        PromptrialError
            If a folder on the way to it is a link: nothing is read or moved there.
        """
        if self._looked is None:
            return self._file_problem(relative, expected, set())
        known = self._looked.get(relative)
        if known is None or known[0] != expected:
            known = self._looked[relative] = expected, self._file_problem(relative, expected, self._real)
        return known[1]

    def look_once(self) -> None:
        """Look at no part's results and no folder again from now on: for a command that changes nothing on disk."""
        self._looked = {}

    def _folders_looked_at(self) -> set[str]:
        """Return the folders that are known not to be links; the caller adds those that it checks."""
        return set() if self._looked is None else self._real

    def _file_problem(self, relative: str, expected: FileRecord, real: set[str]) -> str:
        """Return the same; ``real`` are the folders that were looked at just now and are no links."""
        text = f"{self._root_text}{os.sep}{relative}"  # as text: there may be thousands
        self._check_folders(text, real)
        if self._digests.is_known(text, expected.size, expected.sha256):
            return ""
        name = relative.rpartition("/")[2]
        try:
            found = check_regular(text)
            if found.st_size != expected.size or self._digests.sha256(text, found) != expected.sha256:
                return f"{name} damaged"
        except NotARegularFileError as error:
            return f"{name} is {error.strerror}"
        except (FileNotFoundError, NotADirectoryError):
            return f"{name} missing"
        except IsADirectoryError:
            return f"{name} damaged"
        return ""

    def check_links(self) -> None:
        """Refuse a run with a link in place of a folder: what is written below it would be elsewhere.

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

    def _check_folders(self, path: str, real: set[str]) -> None:
        folder = path.rpartition(os.sep)[0]
        while folder not in real and len(folder) > len(self._root_text):
            if os.path.islink(folder):  # noqa: PTH114 - as text
                raise _linked(Path(folder))
            real.add(folder)
            folder = folder.rpartition(os.sep)[0]

    def trust_kept_digests(self) -> None:
        """Take files that are unchanged, as far as the file system can tell, for the ones that were digested."""
        self._digests.trust_kept()

    def keep_digests(self) -> None:
        """Write down which digests need not be computed again; the caller holds the run's lock."""
        self._digests.keep()


def _linked(path: Path) -> PromptrialError:
    return PromptrialError(
        f"{path}: a link; a run may contain only real folders",
        hint="replace the link by the folder itself (the whole run may be in another place: --experiments_dir)",
    )


class TrialDir:
    """Paths of one trial, its manifest and its journal."""

    def __init__(self, run: RunDir, slug: str) -> None:
        self.run = run
        self.slug = slug
        self.root = run.root / slug
        self.results = self.root / "results"
        self.reports = self.root / "reports"
        self.judge = self.root / "judge"
        self.manifest_path = self.results / "trial_manifest.json"
        self.journal = Journal(self.results / "jobs.journal.jsonl")

    def requests(self, part: str) -> Path:
        """Return the request file of a part."""
        if is_judge(arm_of(part)):
            return self.judge / f"{part}.jsonl"
        return Path(self.run.batch_inputs / self.slug / f"{part}.jsonl")

    def results_name(self, part: str) -> str:
        """Return how receipts name the finished results of a part."""
        return f"{self.slug}/{'judge' if is_judge(arm_of(part)) else 'results'}/{part}/results.jsonl"

    def part_results(self, part: str) -> Path:
        """Return the finished results of a part."""
        return self._part(part, "results.jsonl")

    def part_rows(self, part: str) -> Path:
        """Return the file to which rows are appended until the part is complete."""
        return self._part(part, "results.partial.jsonl")

    def _part(self, part: str, file: str) -> Path:
        return (self.judge if is_judge(arm_of(part)) else self.results).joinpath(part, file)

    def load_manifest(self, *, salvage: bool = False) -> TrialManifest | None:
        """Return the manifest with the journal folded in; None if the trial has not started.

        With ``salvage``, damaged lines of the journal are left out.

        Raises
        ------
        CorruptRecordError
            If the manifest or the journal is damaged.
        PromptrialError
            As ``read_steadily``.
        """

        def read() -> TrialManifest | None:
            try:
                manifest = load(self.manifest_path, TrialManifest)
            except FileNotFoundError:
                return None
            fold(manifest.parts, self.journal.salvage() if salvage else self.journal.read())
            return manifest

        return self.read_steadily(read)

    def read_steadily(self, read: Callable[[], _Read]) -> _Read:
        """Return what a function reads of manifest and journal, as both were at one moment.

        A process without the run's lock may read. The one that holds it saves the manifest with the changes of the
        journal, and then removes the journal: a reader that has the old manifest and finds no journal would miss these
        changes. So everything is read again if the manifest is another one afterwards.

        Raises
        ------
        PromptrialError
            If it is another one each time.
        """
        for _ in range(_ATTEMPTS):
            before = self._manifest_bytes()
            found = read()
            if self._manifest_bytes() == before:
                return found
        raise PromptrialError(
            f"{self.manifest_path}: changed each of the {_ATTEMPTS} times that it was read",
            hint="run the same command again",
        )

    def _manifest_bytes(self) -> bytes | None:
        try:
            return read_bytes(self.manifest_path)
        except OSError:  # which is for those to say who need the manifest
            return None
