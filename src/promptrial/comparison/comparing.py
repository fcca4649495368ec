"""Compare two runs: match their trials, see whether they may be compared, analyse one arm of each, decide on the gates.

Reads both runs and returns the whole document. Every statistic is ``promptrial.stats``', with run A's arm on the first
side of a contrast and run B's on the second; the settings are those that run A was analysed with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from promptrial.comparison.arms import changes, side_by_side
from promptrial.comparison.attrition import attrition_among
from promptrial.comparison.comparability import agreements, match_items, refusal
from promptrial.comparison.gates import Gate, decide, resolved
from promptrial.comparison.reading import (
    RunSide,
    TrialSide,
    read_items,
    read_predictions,
    read_run,
    read_score_table,
    read_scorers,
    read_trial,
)
from promptrial.comparison.subsets import chosen_items
from promptrial.config.effective import difference
from promptrial.documents.comparison import Agreement, Comparison, GateResult, ItemMatch, Pair, Side
from promptrial.documents.missing import ArmAttrition
from promptrial.documents.significance import Significance, StatsSettings, number
from promptrial.documents.verdict import VerdictDocument
from promptrial.errors import UsageError
from promptrial.model.arms import CONTROL, DEFAULT_CONTRAST, TREATMENT, ArmName
from promptrial.phases.stats import planned_items
from promptrial.phases.waves import asked_keys
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables.words import wording
from promptrial.reporting.verdict import comparison_verdict
from promptrial.stats.analysis import analyse, pairing_of
from promptrial.stats.missing import under_rule
from promptrial.stats.pairing import ScoreTable
from promptrial.store.rundir import RunDir

__all__ = ["ArmChoice", "ComparisonRequest", "compare"]


ArmChoice = Literal["treatments", "all"]


@dataclass(frozen=True, slots=True)
class ComparisonRequest:
    """What to compare. ``trials`` names one trial of each run; None matches them by name.

    ``arms`` are names, or what to take of the arms that both trials ran.
    """

    a: RunDir
    b: RunDir
    trials: tuple[str, str] | None
    arms: tuple[ArmName, ...] | ArmChoice
    gates: tuple[Gate, ...]
    alpha: float
    force: bool


def compare(request: ComparisonRequest) -> Comparison:
    """Compare two runs.

    Raises
    ------
    UsageError
        If the runs may not be compared (and ``force`` is not given), lack what is asked for, or are not analysed yet.
    CorruptRecordError
        If something of them is damaged.
    """
    a, b = read_run(request.a), read_run(request.b)
    matched, unmatched_a, unmatched_b = _matched(a, b, request.trials)
    items = _Items(a, b)
    pairs: list[Pair] = []
    gates: list[GateResult] = []
    only_a: list[str] = []
    only_b: list[str] = []
    for slug_a, slug_b in matched:
        trials = _Trials(read_trial(a, slug_a), read_trial(b, slug_b), items)
        only_a += [f"{slug_a}: {arm}" for arm in trials.a.arms if arm not in trials.b.arms]
        only_b += [f"{slug_b}: {arm}" for arm in trials.b.arms if arm not in trials.a.arms]
        for arm in trials.arms(request.arms, gated=bool(request.gates)):
            trials.check(arm, force=request.force)
            table = trials.table(arm)
            asked = [resolved(gate, trials.ranges, trials.types) for gate in request.gates]
            gates += _decided(request.alpha, asked, trials, arm, table)
            pairs.append(trials.pair(arm, table, request.alpha))
    return Comparison(
        schema_version=1,
        run_a=request.a.run_id,
        run_b=request.b.run_id,
        alpha=request.alpha,
        configuration=tuple(difference(a.tree, b.tree)),
        unmatched_a=unmatched_a,
        unmatched_b=unmatched_b,
        pairs=tuple(pairs),
        arms_only_a=tuple(only_a),
        arms_only_b=tuple(only_b),
        gates=tuple(gates),
        passed=all(gate.passed for gate in gates) if gates else None,
        aa_runs=tuple(name for name, side in (("A", a), ("B", b)) if side.tree.get("aa") is True),
    )


_Slugs = tuple[str, ...]


def _matched(a: RunSide, b: RunSide, named: tuple[str, str] | None) -> tuple[list[tuple[str, str]], _Slugs, _Slugs]:
    """Return the trials to compare, and those of each run that the other lacks."""
    if named is not None:
        return [named], (), ()
    both = [(slug, slug) for slug in a.slugs if slug in b.slugs]
    if not both:
        named_a, named_b = ((side.slugs or ("SLUG",))[0] for side in (a, b))
        raise UsageError(
            f"no trial of run {a.run.run_id} ({', '.join(a.slugs) or 'none'}) has the same name as one of run "
            f"{b.run.run_id} ({', '.join(b.slugs) or 'none'})",
            hint=f"name them: promptrial compare {a.run.run_id} {b.run.run_id}{a.run.place} --trial_a {named_a} "
            f"--trial_b {named_b}",
        )
    only_a = tuple(slug for slug in a.slugs if slug not in b.slugs)
    return both, only_a, tuple(slug for slug in b.slugs if slug not in a.slugs)


class _Items:
    """The items of both runs: all of each, the keys in common, and how they match."""

    def __init__(self, a: RunSide, b: RunSide) -> None:
        of_a = read_items(a.run)
        of_b = of_a if a.items == b.items else read_items(b.run)
        self.planned_a = planned_items(a.run)
        self.planned_b = self.planned_a if a.items == b.items else planned_items(b.run)
        self.common: list[str]
        self.match: ItemMatch
        self.common, self.match = match_items(of_a, of_b)


class _Trials:
    """A trial of A beside one of B."""

    def __init__(self, a: TrialSide, b: TrialSide, items: _Items) -> None:
        self.a = a
        self.b = b
        self.items = items
        self._scores: tuple[ScoreTable, ScoreTable] | None = None

    def arms(self, wanted: tuple[ArmName, ...] | ArmChoice, *, gated: bool) -> tuple[ArmName, ...]:
        """Return the arms to compare.

        Raises
        ------
        UsageError
            If one that is wanted was not run in both; where a choice finds none in common, of all that there are. If
            ``gated``, so that no gate passes over an arm: if B lacks one of those that were chosen, or A lacks one of
            all.
        """
        if isinstance(wanted, str):
            chosen = self._chosen(wanted, [*self.a.arms, *self.b.arms])
            common = tuple(name for name in chosen if name in self.a.arms and name in self.b.arms)
            needed = (chosen if wanted == "all" else self._chosen(wanted, self.a.arms)) if gated else common
            wanted = needed or common or chosen or (TREATMENT,)
        for trial, arm in product((self.a, self.b), wanted):
            if arm not in trial.arms:
                raise UsageError(
                    f"run {trial.side.run.run_id}: {trial.slug} has no {arm} arm",
                    hint=f"its arms: {', '.join(trial.arms) or 'none'}; name the arms to compare with --arms",
                )
        return wanted

    @staticmethod
    def _chosen(choice: ArmChoice, arms: Sequence[ArmName]) -> tuple[ArmName, ...]:
        """Return which of the arms a choice takes, each once."""
        return tuple(name for name in dict.fromkeys(arms) if choice == "all" or name != CONTROL)

    def agreements(self, arm: ArmName) -> tuple[Agreement, ...]:
        """Return what the arm of both must have in common."""
        return agreements(self.a.identity_of(arm), self.b.identity_of(arm), self.items.match)

    def check(self, arm: ArmName, *, force: bool) -> None:
        """Refuse arms that may not be compared, and trials without an item or temperature that can be paired."""
        differing = [each for each in self.agreements(arm) if not each.same]
        names = f"{self.a.side.run.run_id}/{self.a.slug} and {self.b.side.run.run_id}/{self.b.slug}"
        if differing and not force:
            raise UsageError(
                f"{names} cannot be compared:\n{refusal(differing)}", hint="to compare them anyway, use --force"
            )
        if not self.items.common:
            raise UsageError(f"{names} cannot be compared: no item is the same in both")
        if not {*self.a.identity.metrics} & {*self.b.identity.metrics}:
            raise UsageError(f"{names} cannot be compared: no scorer has the same name in both")
        if not {*self.a.manifest.temps} & {*self.b.manifest.temps}:
            raise UsageError(f"{names} cannot be compared: they have no temperature in common")

    def table(self, arm: ArmName) -> ScoreTable:
        """Return the scores of one arm of both."""
        if self._scores is None:
            self._scores = (
                read_score_table(self.a, self.items.planned_a),
                read_score_table(self.b, self.items.planned_b),
            )
        return side_by_side(*self._scores, self._common(), arm)

    def _common(self) -> list[str]:
        """Return the keys of the items in common; without those that a trial which stopped early has not asked."""
        found = self.items.common
        for trial in (self.a, self.b):
            asked = asked_keys(trial.side.run, trial.slug)
            found = found if asked is None else [key for key in found if key in asked]
        return found

    def same_requests(self, arm: ArmName) -> bool:
        """Whether an arm of both sends the same requests to the same engine, as far as that is on record.

        It is not for a migrated run, whose older tool may have kept no texts; but a trial is the same as itself.
        """
        sides = (self.a.side, self.b.side)
        if self.a.slug == self.b.slug and sides[0].run.root == sides[1].run.root:
            return True
        if any(side.migrated for side in sides):
            return False
        prompt, instructions = self.a.prompt_sha256(arm), self.a.instructions(arm)
        return (
            all(each.same for each in self.agreements(arm))
            and prompt is not None
            and prompt == self.b.prompt_sha256(arm)
            and None not in instructions
            and instructions == self.b.instructions(arm)
            and self._asked_alike(arm)
            and self.a.engine_of(arm) == self.b.engine_of(arm)
        )

    def _asked_alike(self, arm: ArmName) -> bool:
        """Whether the digests of what an arm was asked with are equal; runs of earlier versions may have none."""
        digests = {self.a.asked_with(arm), self.b.asked_with(arm)}
        return None in digests or len(digests) == 1

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest score of each measure that both have."""
        scorers, others = (read_scorers(each) for each in (self.a, self.b))
        return {name: each.range for name, each in scorers.items() if name in others}

    @property
    def types(self) -> dict[str, str]:
        """The type of each measure that both have, in run A."""
        return {name: str(self.a.identity.metrics[name]["type"]) for name in self.ranges}

    def settings(self, alpha: float) -> StatsSettings:
        """Return the settings that A was analysed with, at another level: that of tests and of intervals."""
        return replace(self.a.significance.settings, alpha=alpha, confidence=1 - alpha)

    def pair(self, arm: ArmName, table: ScoreTable, alpha: float) -> Pair:
        """Return everything that there is to say about an arm."""
        found, significance = self.agreements(arm), self._significance(arm, table, alpha)
        return Pair(
            condition=arm,
            a=_side(self.a, arm),
            b=_side(self.b, arm),
            agreements=found,
            forced=tuple(each.aspect for each in found if not each.same),
            same_requests=self.same_requests(arm),
            items=self.items.match,
            changes=changes(table),
            significance=significance,
            verdict=self._verdict(significance, arm),
        )

    @property
    def dry(self) -> tuple[str, ...]:
        """Which of the runs were dry runs."""
        return tuple(name for name, trial in (("A", self.a), ("B", self.b)) if trial.side.dry_run)

    def _verdict(self, significance: Significance, arm: ArmName) -> VerdictDocument:
        with wording({**read_scorers(self.b), **read_scorers(self.a)}):
            shares, same = as_shares(significance), self.same_requests(arm)
            return comparison_verdict(shares, ("A", "B"), self.dry, same_requests=same).document()

    def _significance(self, arm: ArmName, table: ScoreTable, alpha: float) -> Significance:
        attrition: dict[ArmName, ArmAttrition] = {}
        for place, trial in zip(DEFAULT_CONTRAST.sides, (self.a, self.b), strict=True):
            if arm in trial.significance.attrition:
                attrition[place] = self._attrition(trial, arm, table, place)
        return analyse(table, self.settings(alpha), attrition)

    @staticmethod
    def _attrition(trial: TrialSide, arm: ArmName, table: ScoreTable, place: ArmName) -> ArmAttrition:
        """Return what became of the requests that are compared: those on record, unless the run has others too."""
        recorded = trial.significance.attrition[arm]
        expected = sum(int(table.planned_of_items(place, temp).sum()) for temp in table.temps)
        if expected == recorded.expected:
            return recorded
        return attrition_among(read_predictions(trial), arm, table.item_keys, table.temps, expected)


def _side(trial: TrialSide, arm: ArmName) -> Side:
    return Side(
        run_id=trial.side.run.run_id,
        trial=trial.slug,
        dry_run=trial.side.dry_run,
        prompt_sha256=trial.prompt_sha256(arm),
        cost=None if trial.costs is None else trial.costs.conditions.get(arm),
    )


def _decided(
    alpha: float, gates: Sequence[Gate], trials: _Trials, arm: ArmName, table: ScoreTable
) -> Iterator[GateResult]:
    """Yield the result of each gate at each temperature."""
    settings, same = trials.settings(alpha), trials.same_requests(arm)
    for gate in gates:
        scope, subset, chosen = chosen_items(gate, table)
        for temp in table.temps:
            pairing = under_rule(pairing_of(table, gate.metric, temp, DEFAULT_CONTRAST, settings), settings.missing)
            sample = pairing.sample(scope, subset, chosen)
            verdict = decide(gate, sample, alpha, same_requests=same, settings=settings)
            yield GateResult(
                gate=str(gate),
                metric=gate.metric,
                relation=gate.relation,
                bound=gate.bound,
                scope=scope,
                subset=subset,
                temp=temp,
                condition=arm,
                trial_a=trials.a.slug,
                trial_b=trials.b.slug,
                alpha=alpha,
                n_pairs=sample.n_pairs,
                difference=number(sample.totals.mean),
                limit=verdict.limit,
                p=verdict.p,
                method=verdict.method,
                passed=verdict.passed,
                reason=verdict.reason,
                notes=verdict.notes,
                unchanged_pairs_needed=verdict.needed.unchanged if verdict.needed else None,
                pairs_needed=verdict.needed.planned if verdict.needed else None,
                dry_run=bool(trials.dry),
                same_requests=same,
            )
