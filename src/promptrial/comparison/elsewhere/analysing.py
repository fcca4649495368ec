"""From files of other tools to the whole analysis: read, pair, analyse, phrase. No run, no phases, no state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Final

import numpy as np

from promptrial.comparison.elsewhere.collecting import Answers, Duplicates, collect
from promptrial.comparison.elsewhere.rows import Columns, ReadingNotes, unknown
from promptrial.comparison.elsewhere.scales import MULTIPLY, Declared, measure_names, scale_of, too_narrow
from promptrial.comparison.elsewhere.score_table import ChosenArms, chosen_arms, score_table
from promptrial.comparison.elsewhere.sources import Source, digest_of, sources
from promptrial.comparison.gates import Gate, decide, resolved
from promptrial.comparison.subsets import scope_meant
from promptrial.documents.analysis import Analysis, AnalysisGate, GroupMean, Input, Measure
from promptrial.documents.scorers import NARROWEST_RANGE, Declaration
from promptrial.documents.significance import Endpoint, Significance, StatsSettings, number
from promptrial.errors import UsageError
from promptrial.model.arms import Contrast
from promptrial.reporting.cells import count, counted
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables.words import wording
from promptrial.reporting.verdict import Verdict, scores_verdict
from promptrial.reporting.warned import Warned
from promptrial.stats.analysis import analyse, pairing_of
from promptrial.stats.group_means import group_means
from promptrial.stats.pairing import PairedSample, ScoreTable

__all__ = ["AnalysisRequest", "Analyzed", "analyze", "declarations_of"]

_MOST_MEASURES: Final = 40
_MOST_TEXT: Final = 32_000_000
"""Characters of questions and answers that are kept."""
_TEMP: Final = 0.0
"""Every score gets this temperature: the true one is not known, and it is never shown."""


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """What to analyse, and what flags declare of it.

    ``inputs`` are files, folders and ``NAME=FILE``; ``first`` is the arm that the others are compared with; ``margin``
    is on the scale of the primary measures; ``alpha`` is the level of tests, and intervals have 1 - alpha.
    With ``texts``, questions and answers are kept as far as there is room.
    """

    inputs: tuple[str, ...]
    columns: Columns = Columns()  # noqa: RUF009 - it cannot change
    format: str | None = None
    duplicates: Duplicates = "error"
    arms: tuple[str, ...] = ()
    first: str | None = None
    primary: tuple[str, ...] = ()
    declared: Declared = Declared()  # noqa: RUF009 - likewise
    margin: float | None = None
    gates: tuple[Gate, ...] = ()
    alpha: float = 0.05
    texts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Analyzed:
    """The document, and what it was made from: the verdict in pieces, the scores by item and arm, and all answers.

    ``groups`` has the group of each item of the table; it is empty where none has one.
    """

    document: Analysis
    verdict: Verdict
    table: ScoreTable
    groups: Sequence[str]
    answers: Answers


def analyze(request: AnalysisRequest) -> Analyzed:
    """Read the files, and analyse them as a run's scores are analysed.

    Raises
    ------
    UsageError
        If a file, an arm, a column or a measure that is named does not exist, or nothing can be compared.
    DataError
        If a file is wrong, or a score does not fit what was declared.
    """
    _check_range(request.declared)
    _check_margin(request)
    notes = ReadingNotes(room=_MOST_TEXT if request.texts else 0)
    files = sources(request.inputs, request.columns, request.format, notes)
    answers = collect(files, notes, request.duplicates)
    chosen = chosen_arms(answers.arms, request.arms, request.first)
    measures = _measures(request, answers, chosen, files, notes)
    found = _Found(request, answers, chosen, measures)
    return found.analyzed(files, notes)


def declarations_of(analysis: Analysis) -> dict[str, Declaration]:
    """Return what is known of each measure, by its name in results: for ``wording``."""
    return {each.name: each.declared for each in analysis.measures}


def _check_range(declared: Declared) -> None:
    low, high = declared.range or (0.0, 1.0)
    if high - low < NARROWEST_RANGE:
        raise UsageError(
            f"--range {low:g}:{high:g} is too narrow to compute with: at least {NARROWEST_RANGE:g}", hint=MULTIPLY
        )


def _check_margin(request: AnalysisRequest) -> None:
    if request.margin is None:
        return
    if not request.declared.has_scale:
        raise UsageError(
            "--margin needs a declared scale: one that is inferred from the scores cannot bound a difference",
            hint="declare it with --binary, or with --range LOW:HIGH",
        )
    low, high = request.declared.range or (0.0, 1.0)
    if request.margin >= high - low:
        raise UsageError(
            f"--margin {request.margin:g} is as wide as the scale, {low:g} to {high:g}: every result is within"
        )


def _measures(
    request: AnalysisRequest, answers: Answers, chosen: ChosenArms, files: Sequence[Source], notes: ReadingNotes
) -> tuple[Measure, ...]:
    """Return the measures to analyse, primary ones first, each with its scale."""
    there = [name for name in answers.measures if _is_scored(answers, chosen, name)]
    names = measure_names(there)
    wanted = [_named(name, names, "primary") for name in request.primary]
    if request.columns.scores and files[0].format.name != "table":
        asked = [_named(name, names, "score") for name in request.columns.scores]
        there = [name for name in there if name in {*asked, *wanted}]
    primary = wanted or [_default_primary(there, files, notes)]
    there = [name for name in there if name in primary or not _left_out(answers, name, notes)]
    if len(there) > _MOST_MEASURES:
        raise UsageError(
            f"{len(there)} measures are too many: at most {_MOST_MEASURES} are analysed at once",
            hint=f"name those that count: --score {','.join(primary)}",
        )
    ordered = [*primary, *(name for name in there if name not in primary)]
    return tuple(
        _measure(answers, name, names[name], request.declared, notes, primary=name in primary) for name in ordered
    )


def _measure(
    answers: Answers, label: str, name: str, declared: Declared, notes: ReadingNotes, *, primary: bool
) -> Measure:
    found, inferred = scale_of(answers, label, declared if primary else Declared(wanted=declared.wanted), notes)
    return Measure(name=name, primary=primary, declared=found, inferred=inferred)


def _left_out(answers: Answers, measure: str, notes: ReadingNotes) -> bool:
    """Tell whether a measure that is not primary cannot be computed with; it is then left out, and a note says so."""
    found = too_narrow(answers, measure)
    if found:
        notes.say(f"{measure} is left out: {found}; {MULTIPLY}")
    return bool(found)


def _is_scored(answers: Answers, chosen: ChosenArms, measure: str) -> bool:
    rows, scores = answers.measures[measure]
    return bool(np.isin(answers.arm[rows[~np.isnan(scores)]], chosen.places).any())


def _named(name: str, names: Mapping[str, str], flag: str) -> str:
    """Return the measure that a flag names, by its own name or by the one in results."""
    if name in names:
        return name
    for label, plain in names.items():
        if plain == name:
            return label
    raise UsageError(f"--{flag} {name}: {unknown('measure', name, list(names))}")


def _default_primary(there: Sequence[str], files: Sequence[Source], notes: ReadingNotes) -> str:
    preferred = [name for each in files for name in each.format.preferred]
    fitting = (name for pattern in preferred for name in there if fnmatch(name, pattern))
    primary = next(fitting, there[0])
    if len(there) > 1:
        notes.say(f"{primary} is primary, of {len(there)} measures; --primary names another")
    return primary


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read, and how it is analysed."""

    request: AnalysisRequest
    answers: Answers
    chosen: ChosenArms
    measures: tuple[Measure, ...]

    def analyzed(self, files: Sequence[Source], notes: ReadingNotes) -> Analyzed:
        table, groups = score_table(
            self.answers, self.chosen, {each.declared.label: each.name for each in self.measures}
        )
        settings = self._settings()
        significance = analyse(table, settings)
        n_groups = len(set(groups))
        n_differing = int(self.answers.differing.sum())
        gates = tuple(self._gates(table, settings))
        names = self.chosen.labels
        with wording({each.name: each.declared for each in self.measures}):
            warned = tuple(_warnings(significance, self.measures, names, n_differing))
            verdict = scores_verdict(as_shares(significance), names, warned)
        document = Analysis(
            inputs=tuple(_input(each) for each in files),
            arms=names,
            measures=self.measures,
            n_items=len(table.item_keys),
            n_differing=n_differing,
            n_groups=n_groups,
            notes=notes.lines,
            verdict=verdict.document(),
            significance=significance,
            groups=tuple(_group_means(table, groups, settings)) if n_groups > 1 else (),
            gates=gates,
            passed=all(each.passed for each in gates) if gates else None,
        )
        return Analyzed(document, verdict, table, groups, self.answers)

    def _settings(self) -> StatsSettings:
        declared = {each.name: each.declared for each in self.measures}
        primary = tuple(each.name for each in self.measures if each.primary)
        margin = self.request.margin
        return StatsSettings(
            alpha=self.request.alpha,
            confidence=1 - self.request.alpha,
            primary=primary,
            tost_margins={} if margin is None else dict.fromkeys(primary, margin),
            graded=tuple(name for name, each in declared.items() if each.scale == "continuous"),
            wanted={name: each.direction for name, each in declared.items() if each.direction is not None},
            ranges={name: each.range for name, each in declared.items() if each.range != (0.0, 1.0)},
        )

    def _gates(self, table: ScoreTable, settings: StatsSettings) -> Iterator[AnalysisGate]:
        ranges = {each.name: each.declared.range for each in self.measures}
        for asked in self.request.gates:
            gate = resolved(asked, ranges, {name: name for name in ranges})
            for contrast in table.contrasts:
                yield _gate(gate, contrast, _gated(gate, table, contrast, settings), settings)


def _gated(gate: Gate, table: ScoreTable, contrast: Contrast, settings: StatsSettings) -> PairedSample:
    """Return the pairs that a gate looks at."""
    pairing = pairing_of(table, gate.metric, _TEMP, contrast, settings)
    if gate.subset is None:
        return pairing.sample()
    scope_meant(gate, {"dataset": table.dataset_names})
    chosen = table.of_items(table.dataset) == list(table.dataset_names).index(gate.subset)
    return pairing.sample("dataset", gate.subset, chosen)


def _gate(gate: Gate, contrast: Contrast, sample: PairedSample, settings: StatsSettings) -> AnalysisGate:
    found = decide(gate, sample, settings.alpha, settings=settings)
    return AnalysisGate(
        gate=str(gate),
        contrast=str(contrast),
        measure=gate.metric,
        subset=gate.subset or "all",
        alpha=settings.alpha,
        n_pairs=sample.n_pairs,
        difference=number(sample.totals.mean),
        limit=found.limit,
        p=found.p,
        method=found.method,
        passed=found.passed,
        reason=found.reason,
        notes=found.notes,
    )


def _input(source: Source) -> Input:
    sha256, size = digest_of(source.opened.file.path)
    return Input(file=source.opened.file.shown, format=source.format.name, size=size, sha256=sha256)


def _group_means(table: ScoreTable, groups: Sequence[str], settings: StatsSettings) -> Iterator[GroupMean]:
    codes = np.unique(groups, return_inverse=True)[1]
    for contrast in table.contrasts:
        for measure in table.metrics:
            sample = pairing_of(table, measure, _TEMP, contrast, settings).sample()
            if sample.n_pairs:
                yield _group_mean(sample, codes, settings.confidence)


def _group_mean(sample: PairedSample, codes: np.ndarray, confidence: float) -> GroupMean:
    group = codes[sample.items]
    found, most = group_means(sample.difference, group, sample.cluster, confidence), sample.largest_difference
    present, place = np.unique(group, return_inverse=True)
    first, second = (float((np.bincount(place, weights=arm.score) / np.bincount(place)).mean()) for arm in sample.arms)
    return GroupMean(
        contrast=str(sample.contrast),
        measure=sample.metric,
        n_groups=len(present),
        n_pairs=sample.n_pairs,
        means=(first, second),
        difference=found.mean,
        se=number(found.se),
        df=number(found.df),
        ci_low=number(max(-most, found.ci_low)) if found.reason is None else None,
        ci_high=number(min(most, found.ci_high)) if found.reason is None else None,
        confidence=confidence,
        p=number(found.p),
        reason=found.reason,
    )


def _warnings(
    significance: Significance, measures: Sequence[Measure], names: Mapping[str, str], n_differing: int
) -> Iterator[Warned]:
    """Yield how scales were inferred, and which items could not be paired."""
    primary = {each.name for each in measures if each.primary}
    yield from (Warned("scale", each.inferred) for each in measures if each.primary and each.inferred)
    for row in significance.endpoints:
        if row.scope == "overall" and row.metric in primary:
            yield from _unpaired(row, names)
    if n_differing:
        yield Warned(
            "unpaired", f"{counted(n_differing, 'item')} of one name differ between the arms, and are left out."
        )


def _unpaired(row: Endpoint, names: Mapping[str, str]) -> Iterator[Warned]:
    parts = [
        f"{count(n)} in {names[side]} alone" for n, side in zip(row.one_side_only, row.compared.sides, strict=True) if n
    ]
    parts += [f"{count(row.n_lost)} in neither"] if row.n_lost else []
    if parts:
        left = row.n_items - row.n_pairs - row.n_not_applicable
        yield Warned(
            "unpaired",
            f"{count(left)} of {counted(row.n_items, 'item')} have no pair (scored {', '.join(parts)}); "
            "they are left out.",
        )
