"""What a report says besides statistics and costs: which run, which trial, which data, what became of the answers.

No times and no places on a machine: a report of the same trial has the same bytes wherever it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

from promptrial.documents.cost_report import CostReport
from promptrial.documents.judges import JudgeSummary
from promptrial.documents.labels import Agreement
from promptrial.documents.scorers import Declaration
from promptrial.documents.significance import Significance
from promptrial.model import Arm, Message, ModelSpec, Trial
from promptrial.model.arms import ArmName, Contrast, contrasts_of
from promptrial.model.templates import ItemKind

__all__ = [
    "DatasetFacts",
    "GrowthFacts",
    "LatencyFacts",
    "MessageExample",
    "OlderFigure",
    "OneControl",
    "ParseFacts",
    "ReuseFacts",
    "RunFacts",
    "SealFacts",
    "SpendingFacts",
    "TrialFacts",
    "TrialResult",
    "UnfinishedFacts",
    "arm_differences",
    "without_folders",
]


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """A data set as it was prepared.

    ``source`` is the path that the configuration gives, or the place on the hub; ``version`` is the content:
    ``SHA-256 ...`` of a file or ``commit ...`` on the hub. ``rules`` are those of exact match and token F1.
    ``without_gold`` counts the items without a known gold answer, ``with_choices`` the multiple-choice ones.
    """

    name: str
    format: str
    items: int
    source: str
    version: str
    rules: str = ""
    without_gold: int = 0
    with_choices: int = 0


@dataclass(frozen=True, slots=True)
class GrowthFacts:
    """A growth of the sample: data set -> items before and after it, of the data sets that grew."""

    datasets: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class OneControl:
    """What trials that share a control show together.

    ``trials`` are their slugs. ``significance`` holds nothing but ``simultaneous`` and ``rankings``, over the
    treatments of all of them; ``names`` says what these are called. ``adjusted`` has the p-values that decide on their
    primary tests, by trial, contrast, measure and temperature.
    """

    trials: tuple[str, ...]
    significance: Significance
    names: Mapping[ArmName, str]
    adjusted: Mapping[tuple[str, Contrast, str, float], float]


@dataclass(frozen=True, slots=True)
class SealFacts:
    """The SHA-256 of the sealed analysis plan, and in what the run deviates from it, one line each."""

    sha256: str
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpendingFacts:
    """What a run has spent in USD, what of it for the answers that are used, and what may be billed besides."""

    spent_usd: float
    used_usd: float
    held_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class UnfinishedFacts:
    """Results that are not those of the whole run as it is now: how many answers are on disk, of how many requests.

    Both are None where that is not known. ``grown`` says that the sample has grown: they are of an earlier size.
    """

    answers: int | None
    of: int | None
    grown: bool = False


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What all trials of a run have in common.

    ``n_open`` and ``n_closed`` count its items by type, ``n_grouped`` those that their source groups itself. In a
    ``dry_run`` hosted answers came from an emulator. ``grown_late`` is each growth of the sample that came when
    statistics of the smaller one existed, oldest first. ``corrected`` has how many questions of a data set were
    corrected after the run was prepared. ``copied`` warns of a name or a question that is still the sample's. ``seal``
    is that of the analysis plan, None where it was not sealed. ``pilot`` is how many items of each data set were asked
    first. ``spending`` is what the run has cost, None where that is not recorded or not shown. ``unfinished`` is there
    if the results are not those of the whole run as it is now.
    """

    run_id: str
    experiment: str
    question: str
    config_hash: str
    package_version: str
    datasets: tuple[DatasetFacts, ...]
    n_open: int
    n_closed: int
    dry_run: bool = False
    grown_late: tuple[GrowthFacts, ...] = ()
    corrected: Mapping[str, int] = field(default_factory=dict)
    copied: str = ""
    seal: SealFacts | None = None
    pilot: int | None = None
    spending: SpendingFacts | None = None
    n_grouped: int = 0
    unfinished: UnfinishedFacts | None = None

    @property
    def clusters(self) -> str:
        """What a cluster of its items is: a ``passage``, a ``group`` that the source names, or else a ``cluster``."""
        if self.n_grouped:
            return "group" if self.n_grouped == self.n_items else "cluster"
        return "cluster" if self.n_closed else "passage"

    @property
    def n_items(self) -> int:
        """Items of both types."""
        return self.n_open + self.n_closed

    @property
    def is_mixed(self) -> bool:
        """Whether some items lack what scorers may need, a gold answer or choices, and others have it."""
        lacks = [sum(data.without_gold for data in self.datasets), sum(data.with_choices for data in self.datasets)]
        return any(0 < n < self.n_items for n in lacks)


@dataclass(frozen=True, slots=True)
class ParseFacts:
    """What parsing found besides answers; ``missing`` counts the requests of each arm that have no row.

    ``with_reasoning`` counts the answers of each arm whose reasoning is kept apart from the text that is scored.
    """

    duplicates_ignored: int
    unknown_ids: int
    malformed_lines: int
    missing: Mapping[ArmName, int]
    with_reasoning: Mapping[ArmName, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LatencyFacts:
    """How many answers of an arm say how long their server took, and the median and 95th percentile, in seconds."""

    answers: int
    median_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class ReuseFacts:
    """How many of an arm's requests (``of``) are answered by answers that were taken over from another run.

    ``oldest_days`` is how many whole days before that the oldest of them was asked for; None if that is not known.
    """

    arm: ArmName
    run_id: str
    rows: int
    of: int
    oldest_days: int | None


@dataclass(frozen=True, slots=True)
class MessageExample:
    """The first item of a kind: its id and data set, the turns before the question, each arm's user message."""

    kind: ItemKind
    item_id: str
    dataset: str
    turns: tuple[Message, ...]
    by_arm: Mapping[ArmName, str]


@dataclass(frozen=True, slots=True)
class OlderFigure:
    """The mean of a measure in one arm, and over how many scores: as an older tool had it, and now (None: no score)."""

    metric: str
    condition: ArmName
    older: float
    n_older: int
    now: float | None
    n_now: int


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """One trial: what was compared, on which engine, and what parsing found.

    ``prompt_tokens`` holds the length of each arm's system prompt, None where no tokenizer is available; ``engine`` is
    the provider's fingerprint of model and engine, ``own_engines`` those of arms that another model answers.
    ``shared_requests`` are those that an earlier trial asks too: they are asked only once. ``older`` holds an older
    tool's figures of a migrated trial; ``scorers``, by measure, what the scorers say about themselves. ``examples`` are
    one item of each kind as it was sent; none in runs that an earlier version prepared. ``unsent`` says which decoding
    parameters were not sent, one sentence each. ``prompt_names`` are the names of the files that the prompts are in,
    of those arms whose prompts are in files. ``reused`` is what was taken over from other runs, by arm and run.
    ``latency`` has the arms of which any answer says how long it took. ``judges`` are the measures of models that were
    asked as judges. ``judged`` says how these judged.
    """

    run: RunFacts
    trial: Trial
    prompt_tokens: Mapping[ArmName, int | None]
    engine: Mapping[str, str | int | float | bool]
    parse: ParseFacts
    shared_requests: int = 0
    own_engines: Mapping[ArmName, Mapping[str, str | int | float | bool]] = field(default_factory=dict)
    older: tuple[OlderFigure, ...] = ()
    scorers: Mapping[str, Declaration] = field(default_factory=dict)
    examples: tuple[MessageExample, ...] = ()
    unsent: tuple[str, ...] = ()
    prompt_names: Mapping[ArmName, str] = field(default_factory=dict)
    reused: tuple[ReuseFacts, ...] = ()
    latency: Mapping[ArmName, LatencyFacts] = field(default_factory=dict)
    judges: tuple[str, ...] = ()
    judged: tuple[JudgeSummary, ...] = ()

    @property
    def compares(self) -> bool:
        """Whether two arms of a contrast were run, so that there is a difference to speak of."""
        return bool(contrasts_of(self.trial.conditions))

    @property
    def arm_labels(self) -> dict[ArmName, str]:
        """What each arm is called: by the file of its prompt where that is known, in the order of results."""
        return {name: self.prompt_names.get(name, name) for name in self.trial.arms_run}

    @property
    def requests_per_arm(self) -> int:
        """Requests that an arm was planned to have: every item, at every temperature, so many times."""
        return self.run.n_items * sum(self.trial.samples_per_item[repr(temp)] for temp in self.trial.temps)


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Everything there is to say about a trial; ``agreement`` is None where no label says anything, and no judge."""

    facts: TrialFacts
    significance: Significance
    costs: CostReport
    agreement: Agreement | None = None


def arm_differences(trial: Trial) -> str:
    """Return in what each arm differs from the first one; empty if none differs in more than the system prompt.

    For example ``big against small: model m2 (vendor/m2, served by openai) in place of m1 (vendor/m1, served by
    openai)``.
    """
    first, *others = (trial.arm(name) for name in trial.arms_run)
    differences = {arm.name: _differences(first, arm) for arm in others}
    if all(set(each) <= {"system prompt"} for each in differences.values()):
        return ""
    return "; ".join(
        f"{name} against {first.name}: {', '.join(each.values()) or 'nothing'}" for name, each in differences.items()
    )


def _differences(first: Arm, other: Arm) -> dict[str, str]:
    """Return what an arm has that the first has not: by kind, in words."""
    found = {}
    if other.prompt != first.prompt:
        found["system prompt"] = "another system prompt"
    if other.model != first.model:
        found["model"] = f"model {_model(other.model)} in place of {_model(first.model)}"
    if other.templates != first.templates:
        found["task template"] = "another task template"
    return found


def _model(model: ModelSpec) -> str:
    return f"{model.alias} ({without_folders(model.shown_id)}, served by {model.provider})"


def without_folders(text: str) -> str:
    """Return the last part of an absolute path, and any other text as it is.

    Examples
    --------
    >>> without_folders("/home/me/models/small.gguf"), without_folders("C:/models/small.gguf")
    ('small.gguf', 'small.gguf')
    >>> without_folders("../data/sample.jsonl")
    '../data/sample.jsonl'
    """
    for flavour in (PurePosixPath, PureWindowsPath):
        path = flavour(text)
        if path.is_absolute():
            return path.name
    return text
