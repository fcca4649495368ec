"""What ``compare --json`` holds: its typed rows and its JSON Schema. Nothing is computed here."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from promptrial.documents import schemas
from promptrial.documents.cost_report import Cost
from promptrial.documents.significance import Scope, Significance
from promptrial.documents.verdict import VerdictDocument
from promptrial.model.arms import ArmName

__all__ = [
    "Agreement",
    "AspectName",
    "Changes",
    "Comparison",
    "GateResult",
    "ItemMatch",
    "Pair",
    "Relation",
    "Side",
    "json_schema",
]

SCHEMA_VERSION: Final = 1
AspectName = Literal["items", "scorer", "model", "decoding"]
Relation = Literal[">=", "<="]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Something that two trials must have in common to be compared: its SHA-256 in each, and what differs in words."""

    aspect: AspectName
    a: str
    b: str
    same: bool
    differences: tuple[str, ...]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of one trial of one run. ``cost`` is that of this arm alone, null where the run has none yet."""

    run_id: str
    trial: str
    dry_run: bool
    prompt_sha256: str | None
    cost: Cost | None


class ItemMatch(msgspec.Struct, frozen=True, kw_only=True):
    """The items of both runs: ``common`` ones are the same in every byte, ``changed`` ones share no more than their id.

    Only common items are compared.
    """

    common: int
    changed: int
    only_a: int
    only_b: int


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the items at a temperature, by the measure that says whether an answer is right.

    ``fixed`` went from 0 to 1 and ``broken`` from 1 to 0, by their item keys. ``n_better`` and ``n_worse`` count these
    and the items of which only some replicates changed. ``metric`` is null in older documents.
    """

    temp: float
    n_pairs: int
    n_fixed: int
    n_broken: int
    n_better: int
    n_worse: int
    fixed: tuple[str, ...]
    broken: tuple[str, ...]
    metric: str | None = None


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of a trial of run A beside the same arm of a trial of run B.

    ``significance`` has the shape of ``significance.json``, where the first side of each row stands for run A and the
    second for run B, so that every difference is B minus A. ``forced`` names the aspects that differ although the
    arms are compared (``--force``). ``same_requests``: prompts and all else that a request is made of are the same, so
    that B differs by chance alone. ``verdict`` says in sentences what B shows against A; null in older documents.
    """

    condition: ArmName
    a: Side
    b: Side
    agreements: tuple[Agreement, ...]
    forced: tuple[AspectName, ...]
    same_requests: bool
    items: ItemMatch
    changes: tuple[Changes, ...]
    significance: Significance
    verdict: VerdictDocument | None = None


class GateResult(msgspec.Struct, frozen=True, kw_only=True):
    """A gate, decided on one pair at one temperature.

    ``limit`` is the end of the one-sided confidence interval of B minus A, at level ``1 - alpha``, that the gate looks
    at: it lies beyond the bound exactly when ``p`` is at most alpha. ``method`` is the test; ``reason`` is set where
    none could be made, and ``notes`` say what there is to know of it. Where a gate that grants a margin failed,
    ``unchanged_pairs_needed`` pairs would show it if none of them changed, and ``pairs_needed`` with a power of 80% if
    the arms are alike but differ as often as here. ``dry_run``: an emulator answered in one of the runs, so that the
    gate says nothing about a model. ``same_requests``: both runs sent the same, so that a gate that fails is a false
    alarm, or tells what changed between the runs. The last five are null, empty or false in older documents.
    """

    gate: str
    metric: str
    relation: Relation
    bound: float
    scope: Scope
    subset: str
    temp: float
    condition: ArmName
    trial_a: str
    trial_b: str
    alpha: float
    n_pairs: int
    difference: float | None
    limit: float | None
    p: float | None
    method: str | None
    passed: bool
    reason: str | None
    notes: tuple[str, ...] = ()
    unchanged_pairs_needed: int | None = None
    pairs_needed: int | None = None
    dry_run: bool = False
    same_requests: bool = False


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The whole document. ``passed`` is whether every gate passed, null without a gate.

    ``unmatched_*`` are trials that the other run lacks, ``arms_only_*`` arms (``TRIAL: ARM``) that were run in one of
    the two alone. ``aa_runs`` are the sides that are A/A runs. ``configuration`` says line by line what differs
    between the two configurations.
    """

    schema_version: Literal[1]
    run_a: str
    run_b: str
    alpha: float
    configuration: tuple[str, ...]
    unmatched_a: tuple[str, ...]
    unmatched_b: tuple[str, ...]
    pairs: tuple[Pair, ...]
    gates: tuple[GateResult, ...]
    passed: bool | None
    arms_only_a: tuple[str, ...] = ()
    arms_only_b: tuple[str, ...] = ()
    aa_runs: tuple[str, ...] = ()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document, as published in ``docs/schemas``."""
    return schemas.json_schema(Comparison, f"promptrial compare --json, schema_version {SCHEMA_VERSION}")
