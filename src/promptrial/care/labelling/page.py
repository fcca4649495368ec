"""The pages on which a person labels answers: one answer at a time, blind, and what there is to do at the end. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from promptrial.care.labelling.sheet import Guide, LabelledSheet
from promptrial.care.view.pages import frame
from promptrial.documents.scorers import Declaration
from promptrial.reporting.cells import counted
from promptrial.reporting.page.markup import shown
from promptrial.reporting.tables.meanings import asked

__all__ = ["answer_page", "end_page", "next_place"]

_LONG: Final = 1500
"""Characters of a passage from which on it is folded."""
_YES: Final = {(0.0, 1.0): {1.0: "1: yes", 0.0: "0: no"}}


def answer_page(sheet: LabelledSheet, place: int, labels: Sequence[str]) -> str:
    """Return the page of the answer at a place, counted from 0; ``labels`` are those of all answers."""
    answer, scorer, guide = sheet.answers[place], sheet.scorer, sheet.guide
    title = f"Item {answer.item}, answer {answer.letter}"
    body = (
        f'<div class="labelling">\n{_progress(labels)}{_links(place, labels)}'
        f"{_text('Question', answer.question)}{_passage(answer.passage)}{_accepted(answer.accepted)}"
        f"{_text('Answer', answer.text)}"
        f"{_others(sheet, place)}{_rubric(guide.rubric)}{_form(place, labels[place], scorer, guide)}"
        '<p class="small">Keys: <kbd>j</kbd> next, <kbd>k</kbd> previous, <kbd>u</kbd> remove the label'
        f"{_keys(scorer)}.</p>\n</div>\n"
    )
    return frame(title, body, script="label.js", home="first answer without a label")


def next_place(after: int, labels: Sequence[str]) -> int | None:
    """Return the place of the next answer without a label, from the first again after the last; None if all have one.

    Examples
    --------
    >>> next_place(1, ["", "1", ""]), next_place(2, ["", "1", "0"]), next_place(0, ["1"])
    (2, 0, None)
    """
    places = [*range(after + 1, len(labels)), *range(min(after + 1, len(labels)))]
    return next((place for place in places if not labels[place]), None)


def end_page(read_command: str, file: str, labels: Sequence[str]) -> str:
    """Return the page that follows the last label."""
    left = sum(not label for label in labels)
    said = (
        f"{counted(left, 'answer')} without a label." if left else f"All {counted(len(labels), 'answer')} are labelled."
    )
    body = (
        f'<p role="status">{said}</p>\n<p>Compare the labels with the measure: '
        f"<code>{shown(read_command)}</code></p>\n"
        f"<p>Or name the sheet in the configuration, as <code>labels: {shown(file)}</code>, and resume the run.</p>\n"
        '<p><a href="/answer/1">back to the first answer</a></p>\n'
    )
    return frame("Labels", body, script="label.js", home="first answer without a label")


def _progress(labels: Sequence[str]) -> str:
    n = sum(bool(label) for label in labels)
    return (
        f'<p role="status">{n:,} of {counted(len(labels), "answer")} labelled '
        f'<progress value="{n}" max="{len(labels)}" aria-label="answers labelled"></progress></p>\n'
    )


def _links(place: int, labels: Sequence[str]) -> str:
    """Return links to the answers before and after this one, and to the next one without a label."""
    found = []
    if place:
        found.append(f'<a rel="prev" href="/answer/{place}">previous</a>')
    if place + 1 < len(labels):
        found.append(f'<a rel="next" href="/answer/{place + 2}">next</a>')
    if (unlabelled := next_place(place, labels)) not in {None, place}:
        found.append(f'<a href="/answer/{(unlabelled or 0) + 1}">next without a label</a>')
    return f'<p class="jumps">{"".join(found)}</p>\n'


def _text(title: str, text: str) -> str:
    return f"<h2>{title}</h2>\n{_read(title, text)}\n"


def _read(title: str, text: str) -> str:
    """Return a text that scrolls where it is long, also by keys."""
    return f'<pre class="read" dir="auto" tabindex="0" role="group" aria-label="{title}">{shown(text)}</pre>'


def _passage(text: str) -> str:
    if not text:
        return ""
    is_open = "" if len(text) > _LONG else " open"
    return f"<details{is_open}><summary>Passage</summary>{_read('Passage', text)}</details>\n"


def _accepted(answers: Sequence[str]) -> str:
    if not answers:
        return "<h2>Accepted answers</h2>\n<p>None: no answer is known.</p>\n"
    items = "".join(f'<li dir="auto">{shown(each)}</li>' for each in answers)
    return f"<h2>Accepted answers</h2>\n<ul>{items}</ul>\n"


def _others(sheet: LabelledSheet, place: int) -> str:
    """Return the other answers to the question, where answers are compared with each other."""
    if not sheet.guide.is_pairwise:
        return ""
    item = sheet.answers[place].item
    others = [each for at, each in enumerate(sheet.answers) if each.item == item and at != place]
    return "".join(_text(f"Answer {each.letter}, to compare", each.text) for each in others)


def _rubric(text: str) -> str:
    return f"<details open><summary>Rubric</summary>{_read('Rubric', text)}</details>\n" if text else ""


def _asked(scorer: Declaration, guide: Guide) -> str:
    """Return what a person is asked, as HTML."""
    if guide.is_pairwise:
        return f"{shown(scorer.label)}: 1 if this answer is the better one, 0 if it is worse, 0.5 for a tie."
    if guide.rubric:
        return f"{shown(scorer.label)}: score this answer by the rubric."
    right = "Is this answer right? The labels check " if scorer.role == "accuracy" else ""
    return f"{right}{shown(scorer.label)}: {shown(asked(scorer.meaning))}"


def _form(place: int, label: str, scorer: Declaration, guide: Guide) -> str:
    now = f"labelled {shown(label)}" if label else "no label yet"
    remove = '<button name="label" value="" data-key="u">Remove the label</button>' if label else ""
    return (
        f"<h2>Label</h2>\n<p>{_asked(scorer, guide)}</p>\n"
        f'<form class="form" method="post" action="/label"><input type="hidden" name="answer" value="{place + 1}">'
        f'{_inputs(label, scorer)}{remove}<span id="now">{now}</span></form>\n'
    )


def _inputs(label: str, scorer: Declaration) -> str:
    low, high = scorer.range
    if scorer.scale == "binary":
        return "".join(_button(value, label, _YES.get(scorer.range, {})) for value in (high, low))
    value = f' value="{shown(label)}"' if label else ""
    return (
        f'<label>a number from {low:g} to {high:g} <input type="number" name="label" step="any" min="{low:g}" '
        f'max="{high:g}"{value} required></label><button data-key="Enter">Save</button>'
    )


def _button(value: float, label: str, names: dict[float, str]) -> str:
    is_now = "true" if label and float(label) == value else "false"
    text = names.get(value, f"{value:g}")
    return f'<button name="label" value="{value:g}" data-key="{value:g}" aria-pressed="{is_now}">{text}</button>'


def _keys(scorer: Declaration) -> str:
    if scorer.scale != "binary":
        return ", <kbd>Enter</kbd> save"
    keys = " and ".join(f"<kbd>{value:g}</kbd>" for value in reversed(scorer.range))
    return f", {keys} label and go to the next answer without a label"
