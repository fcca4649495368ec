"""The first screen of a trial: the verdict, its warnings, the forest plot, and what changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from promptrial.documents.significance import Significance
from promptrial.model.arms import ArmName, Contrast
from promptrial.reporting import tables
from promptrial.reporting.cells import count
from promptrial.reporting.page.content import TrialPage
from promptrial.reporting.page.markup import figure, shown
from promptrial.reporting.plots.arms import arms_plots
from promptrial.reporting.plots.bars import Changed, changed_plot
from promptrial.reporting.plots.forest import forest_of
from promptrial.reporting.tables.contrasts import named_contrast
from promptrial.reporting.verdict import Finding, Verdict, trial_verdict

__all__ = ["changes_html", "effects_html", "first_screen", "further_effects_html", "verdict_html"]

_MOST_LARGE: Final = 2
"""Findings that are shown in large letters; more of them are smaller, so that the plot stays on the first screen."""
_CHANGES: Final = {
    "fixed": "fixed",
    "broken": "broken",
    "both_right": "both right",
    "both_wrong": "both wrong",
    "missing": "missing",
}


def first_screen(page: TrialPage, at: int) -> str:
    """Return the first screen of the trial at a place among those of the page, from 0."""
    suffix = f"-{at + 1}" if at else ""
    facts = page.result.facts
    heading = shown(f"Trial {facts.trial.slug}")
    parts = (
        verdict_html(trial_verdict(page.result), dry=facts.run.dry_run),
        _forest(page, suffix),
        changes_html(_called(page.changed, facts.arm_labels), at, suffix, linked=page.packed is not None),
    )
    return (
        f'<section class="first" aria-labelledby="verdict{suffix}">\n<h1 id="verdict{suffix}">{heading}</h1>\n'
        f"{''.join(parts)}</section>\n"
    )


def _called(changed: Mapping[str, Changed], names: Mapping[ArmName, str]) -> dict[str, Changed]:
    """Return what changed by contrasts whose arms are called by the files of their prompts, where that tells them."""
    labels = {key: named_contrast(Contrast(*key.split(" vs ")), names) for key in changed}
    told = len(set(labels.values())) == len(labels)
    return {labels[key] if told else key: value for key, value in changed.items()}


def verdict_html(verdict: Verdict, *, dry: bool) -> str:
    """Return the findings, and beside them the warnings."""
    ranked = any(not each.contrast and each.metric for each in verdict.findings)
    is_many = len(verdict.findings) > _MOST_LARGE
    findings = "".join(
        _finding(each, dry=dry, beside=ranked and bool(each.contrast), is_large=not is_many)
        for each in verdict.findings
    )
    summary = f'<p class="verdict"><span class="lead">{shown(verdict.summary)}</span></p>\n' if verdict.summary else ""
    warned = "".join(
        f'<li><span aria-hidden="true">\u26a0</span> <b>{shown(each.label)}:</b> {shown(each.text)}</li>\n'
        for each in verdict.warnings
    )
    warnings = f'<ul class="warnings" aria-label="Warnings">\n{warned}</ul>\n' if warned else ""
    many = " many" if is_many else ""
    return f'<div class="said"><div class="findings{many}">\n{summary}{findings}</div>\n{warnings}</div>\n'


def _finding(each: Finding, *, dry: bool, beside: bool, is_large: bool) -> str:
    """Return a finding; that of a dry run has no colour of better or worse, since it says nothing about a model.

    One ``beside`` what is said about all arms is smaller. The figures of a large one come below it, and its colon is
    not seen.
    """
    figures = f' <span class="figures">{shown(each.figures.strip())}</span>' if each.figures else ""
    lead = shown(each.lead)
    if is_large and not beside and lead.endswith(": "):
        lead = f'{lead.removesuffix(": ")}<span class="colon">: </span>'
    kind = f"{'dry' if dry else each.state}{' beside' if beside else ''}"
    return f'<p class="verdict {kind}"><span class="lead">{lead}</span>{figures}</p>\n'


def _forest(page: TrialPage, suffix: str) -> str:
    facts = page.result.facts
    return effects_html(page.result.significance, facts.arm_labels, suffix) if facts.compares else ""


def effects_html(significance: Significance, names: Mapping[ArmName, str], suffix: str = "") -> str:
    """Return the plot of effects that comes first: of all arms where there are several treatments, else the forest."""
    return "".join(
        f'<figure class="{kind}">{plot}</figure>\n'
        for kind in ("wide", "narrow")
        for plot in arms_plots(significance, names, name=f"arms-{kind}{suffix}", narrow=kind == "narrow")
    ) or forest_html(significance, names, suffix)


def further_effects_html(significance: Significance, names: Mapping[ArmName, str], suffix: str = "") -> str:
    """Return the forest plot where another one comes first."""
    return forest_html(significance, names, suffix) if significance.rankings else ""


def forest_html(significance: Significance, names: Mapping[ArmName, str], suffix: str = "") -> str:
    """Return the forest plot, once for wide and once for narrow windows; nothing without an endpoint."""
    rows = tables.overall_endpoints(significance)
    return "".join(
        f'<figure class="{kind}">'
        f"{forest_of(significance, rows, names, name=f'forest-{kind}{suffix}', narrow=kind == 'narrow')}</figure>\n"
        for kind in (("wide", "narrow") if rows else ())
    )


def changes_html(changed: Mapping[str, Changed], at: int = 0, suffix: str = "", *, linked: bool = True) -> str:
    """Return, for each contrast, what became of the items; if ``linked``, each number is a link to them."""
    return "".join(_change_html(changed, place, at, suffix, linked=linked) for place in range(len(changed)))


def _change_html(changed: Mapping[str, Changed], place: int, at: int, suffix: str, *, linked: bool) -> str:
    contrast, found = [*changed.items()][place]
    address = "".join(f"{key}={n + 1}&amp;" for key, n in (("trial", at), ("contrast", place)) if n)
    parts = {key: found.parts[name] for key, name in _CHANGES.items() if name in found.parts}
    links = "".join(
        f'<li class="{key}"><a href="#{address}outcome={key}">{count(n)} {_CHANGES[key]}</a></li>'
        if linked
        else f'<li class="{key}">{count(n)} {_CHANGES[key]}</li>'
        for key, n in parts.items()
    )
    title = shown(f"{found.title} ({contrast})" if len(changed) > 1 else found.title)
    name = f"changed{suffix}{f'-c{place + 1}' if place else ''}"
    plots = figure(partial(changed_plot, found, legend=False), name)
    return (
        f'<div class="changes"><p class="small">{title}</p>\n{plots}'
        f'<ul class="jumps" aria-label="{title}">{links}</ul></div>\n'
    )
