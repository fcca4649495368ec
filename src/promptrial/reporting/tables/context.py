"""The tables around the effects: design, data, questions, missing answers, provenance. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import UNSET

from promptrial.documents.missing import ArmAttrition
from promptrial.documents.significance import SIDES, Significance
from promptrial.model import Trial
from promptrial.model.arms import ArmName, Contrast, control_first
from promptrial.model.responses import NO_TEXT
from promptrial.reporting.cells import (
    Table,
    count,
    interval,
    level,
    margin,
    points_decimals,
    rate,
    temperature,
)
from promptrial.reporting.facts import RunFacts, TrialFacts, arm_differences, without_folders
from promptrial.reporting.tables.contrasts import SIDE_HEADERS, contrast_suffix, with_contrasts
from promptrial.reporting.tables.effects import overall_endpoints
from promptrial.reporting.tables.missing import rule_text
from promptrial.reporting.tables.words import listing, metric_text, reason_text, score_unit

__all__ = [
    "attrition_table",
    "bounds_table",
    "datasets_table",
    "design_table",
    "pairs_table",
    "provenance_table",
    "questions_table",
]

_PAIRING: Final = "each item is its own control: its answers in both arms are compared at the same temperature"
_BOUNDS_NOTES: Final = (
    "The bounds cover all planned answers to the items that the endpoint applies to.",
    "Missing scores are given the values that make the difference smallest, then largest.",
    "These are not confidence intervals: they do not include sampling error.",
)


def _arm_with_file(name: ArmName, files: Mapping[ArmName, str]) -> str:
    return f"{name} ({files[name]})" if name in files else name


def design_table(facts: TrialFacts, significance: Significance) -> Table:
    """Return what was compared and how it was sampled."""
    trial, run, settings = facts.trial, facts.run, significance.settings
    differences = arm_differences(trial)
    rows = [
        ("Experiment", run.experiment),
        ("Trial", trial.slug),
        ("Model", f"{trial.model.alias} ({without_folders(trial.model.shown_id)}), provider {trial.model.provider}"),
        ("Prompt set", trial.prompt_set),
        ("Arms", ", ".join(_arm_with_file(name, facts.prompt_names) for name in trial.conditions)),
        *([("Differences between arms", differences)] if differences else []),
        ("Items", f"{count(run.n_items)} ({count(run.n_open)} open-book, {count(run.n_closed)} closed-book)"),
        ("Requests planned for each arm", count(facts.requests_per_arm)),
        ("Temperatures", ", ".join(_temperature_with_samples(trial, temp) for temp in trial.temps)),
        ("Sampling", _sampling(facts)),
        ("Max answer tokens", ", ".join(f"{kind}-book {most}" for kind, most in trial.max_new_tokens.items())),
        ("Stop sequences", ", ".join(map(repr, trial.stop)) or "none"),
        *([("Pairing", _PAIRING)] if facts.compares else []),
        ("Primary endpoints", ", ".join(metric_text(name).label for name in settings.primary)),
        ("Significance and confidence level", f"{settings.alpha:g} and {level(settings.confidence)}"),
        ("Equivalence margins", _margins(settings.tost_margins)),
        ("Missing answers", rule_text(settings.missing)),
    ]
    return Table("Design", ("", ""), tuple(rows), (), "ll")


_BY_CHARACTER: Final = ", by character"


def _rules_text(rules: str) -> str:
    """Return the name of rules for reading; what is stored stays, because seals hold it."""
    return rules.partition(_BY_CHARACTER)[0]


def datasets_table(run: RunFacts) -> Table:
    """Return the data sets with what identifies their content."""
    rows = tuple(
        (data.name, data.format, _rules_text(data.rules), count(data.items), without_folders(data.source), data.version)
        for data in run.datasets
    )
    headers = ("Data set", "Format", "Scoring rules", "Items", "Source", "Version")
    notes = tuple(
        f"{data.name}: {count(n)} of {count(data.items)} questions {have}."
        for data in run.datasets
        for n, have in ((data.without_gold, "have no gold answer"), (data.with_choices, "have choices"))
        if n
    )
    by_character = [data.name for data in run.datasets if _BY_CHARACTER in data.rules]
    if by_character:
        where = "" if len(by_character) == len(run.datasets) else f" of {listing(by_character)}"
        said = f"the scoring rules{where} compare text character by character."
        notes = (*notes, f"In languages written without spaces, such as Chinese, {said}")
    return Table("Questions", headers, rows, notes, "lllrll")


def questions_table(significance: Significance) -> Table:
    """Return what each measure asks of an answer, whether it is confirmatory, and its pairs at each temperature."""
    pairs: dict[str, dict[Contrast, list[str]]] = {}
    for row in overall_endpoints(significance):
        pairs.setdefault(row.metric, {}).setdefault(row.compared, []).append(count(row.n_pairs))
    rows = []
    for name, counts in pairs.items():
        text, wanted = metric_text(name), significance.settings.wanted.get(name, "depends on the item")
        role = "primary" if name in significance.settings.primary else "exploratory"
        rows.append((text.label, role, "; ".join(map(" / ".join, counts.values())), wanted, text.asks))
    notes = [] if significance.contrasts is UNSET else [f"Pairs: {'; '.join(map(str, significance.compared))}."]
    return Table("Measures", ("Measure", "Role", "Pairs", "Better if", "Question"), tuple(rows), tuple(notes), "llrll")


def attrition_table(significance: Significance) -> Table:
    """Return what became of the requests of each arm: answered, answered with an error (by its code), or not at all."""
    arms = [(name, significance.attrition[name]) for name in control_first(significance.attrition)]
    reasons = sorted({reason for _, arm in arms for reason, times in arm.reasons.items() if times})
    headers = (
        "Arm",
        "Requests",
        "Answered",
        "Truncated",
        "Unanswered",
        "Share unanswered",
        *(_reason_header(reason) for reason in reasons),
        "No result row",
    )
    rows = tuple((name, *_attrition_cells(arm, reasons)) for name, arm in arms)
    return Table("Requests", headers, rows, (), "l" + "r" * (len(headers) - 1))


def _reason_header(reason: str) -> str:
    return f"{'Empty' if reason in NO_TEXT else 'Error'}: {reason_text(reason)}"


def pairs_table(significance: Significance) -> Table:
    """Return how many items each endpoint has as pairs, and why the others are none."""
    endpoints = overall_endpoints(significance)
    table = Table(
        title="From items to pairs",
        headers=(
            "Measure",
            "Temp.",
            "Items",
            "Pairs",
            *(f"{side} only" for side in SIDE_HEADERS),
            "In neither",
            "Not applicable",
        ),
        rows=tuple(
            (
                metric_text(row.metric).label,
                temperature(row.temp),
                *map(
                    count,
                    (
                        row.n_items,
                        row.n_pairs,
                        *row.one_side_only,
                        row.n_lost,
                        row.n_not_applicable,
                    ),
                ),
            )
            for row in endpoints
        ),
        notes=("Items with a score in only one arm, or in neither, do not form a pair and are not compared.",),
        align="lrrrrrrr",
    )
    return with_contrasts(table, endpoints)


def bounds_table(significance: Significance) -> Table:
    """Return how far the effects could move if the missing scores were as one-sided as they can be."""
    rows, endpoints = [], overall_endpoints(significance)
    for row in endpoints:
        bounds = row.bounds
        unit = score_unit(row.metric)
        decimals = points_decimals(bounds.low, bounds.high, unit)
        limits = interval(bounds.low, bounds.high, decimals, unit)
        rows.append(
            (
                metric_text(row.metric).label,
                temperature(row.temp),
                count(bounds.n_items),
                *map(count, bounds.answers_missing),
                f"{limits} {unit.name}" if unit.name and bounds.low is not None else limits,
            )
        )
    reasons = dict.fromkeys(
        f"{metric_text(row.metric).label}{contrast_suffix(row)}: {row.bounds.reason}."
        for row in endpoints
        if row.bounds.reason is not None
    )
    table = Table(
        title="Worst-case bounds",
        headers=(
            "Measure",
            "Temp.",
            "Items",
            *(f"Answers missing in {side}" for side in SIDES),
            "Range of the difference, points",
        ),
        rows=tuple(rows),
        notes=(*_BOUNDS_NOTES, *reasons),
        align="lrrrrr",
    )
    return with_contrasts(table, endpoints)


def older_table(facts: TrialFacts) -> Table:
    """Return an older tool's figures of a migrated trial beside those of now; no rows for any other trial."""
    rows = tuple(
        (
            metric_text(figure.metric).label,
            figure.condition,
            rate(figure.older),
            count(figure.n_older),
            rate(figure.now),
            count(figure.n_now),
        )
        for figure in facts.older
    )
    return Table(
        title="Figures of promptrial's predecessor",
        headers=("Measure", "Arm", "Then", "Scores then", "Now", "Scores now"),
        rows=rows,
        notes=(
            "The answers are the same; the differences come from rescoring them.",
            "An endpoint now has scores only where it applies: false answers only for unanswerable questions.",
        ),
        align="llrrrr",
    )


def provenance_table(facts: TrialFacts, significance: Significance) -> Table:
    """Return what identifies the run: configuration, program, engine, prompts, resampling."""
    settings = significance.settings
    prompts = [(f"{name} prompt, SHA-256", facts.trial.prompts[name].sha256) for name in facts.trial.conditions]
    rows = [
        ("Run", facts.run.run_id),
        ("Configuration, SHA-256", facts.run.config_hash),
        ("promptrial", facts.run.package_version),
        *((f"Engine: {name}", _engine_value(value)) for name, value in sorted(facts.engine.items())),
        *(
            (f"Engine of the {arm} arm: {name}", _engine_value(value))
            for arm, engine in facts.own_engines.items()
            for name, value in sorted(engine.items())
        ),
        *prompts,
        ("Resampling", _resampling(settings.bootstrap_samples, settings.permutation_samples, settings.random_seed)),
        ("Statistics, schema version", str(significance.schema_version)),
    ]
    return Table("Provenance", ("", ""), tuple(rows), (), "ll")


def _is_left_to_the_vendor(trial: Trial) -> bool:
    return all(model.options.sampling == "provider_default" for model in trial.models)


def _sampling(facts: TrialFacts) -> str:
    """Return the decoding parameters, and what of them was not sent."""
    trial, unsent = facts.trial, "; ".join(facts.unsent)
    if _is_left_to_the_vendor(trial):
        return f"the model's defaults{f' ({unsent})' if unsent else ''}"
    given = f"top-p {trial.top_p:g}, top-k {trial.top_k}, seed {trial.seed}"
    return f"{given}; {unsent}" if unsent else given


def _temperature_with_samples(trial: Trial, temp: float) -> str:
    samples = trial.samples_per_item[repr(temp)]
    unsent = ", not sent: the model's default" if _is_left_to_the_vendor(trial) else ""
    return f"{temperature(temp)}{unsent} ({samples} {'answer' if samples == 1 else 'answers'} to each item)"


def _margins(margins: dict[str, float]) -> str:
    units = {name: score_unit(name) for name in margins}
    texts = [
        f"{metric_text(name).label} {margin(width, units[name])}{'' if units[name].name else ' points'}"
        for name, width in margins.items()
    ]
    return ", ".join(texts) or "none given, so equivalence was not tested"


def _attrition_cells(arm: ArmAttrition, reasons: Iterable[str]) -> tuple[str, ...]:
    return (
        count(arm.expected),
        count(arm.answered),
        count(arm.truncated),
        count(arm.missing),
        rate(arm.share_missing),
        *(count(arm.reasons.get(reason, 0)) for reason in reasons),
        count(arm.unexplained),
    )


def _engine_value(value: str | float | bool) -> str:  # noqa: FBT001 - a value of the fingerprint, not a flag
    return without_folders(value) if isinstance(value, str) else str(value)


def _resampling(bootstrap: int, permutation: int, seed: int) -> str:
    return f"{count(bootstrap)} bootstrap samples, {count(permutation)} permutations, seed {seed}"
