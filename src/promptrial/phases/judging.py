"""Asking the judges: what their scores need is built, submitted, followed and fetched, before anything is scored.

It goes the way of all requests: files, intents, journal, ledger, cap and consent are the same, and a kill at any point
loses nothing. Judges of all trials are asked together, so that no batch waits for another's end. What cannot be read as
a verdict is asked for once more; after that it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from promptrial.jobs.work import PartWork
from promptrial.model.units import RUN
from promptrial.phases.buying_again import require_leave_to_buy_again
from promptrial.phases.confirmation import require_consent
from promptrial.phases.engines import engine_for
from promptrial.phases.judge_questions import Question, claims_of, judged_answers
from promptrial.phases.judge_replies import REPAIR, read_replies
from promptrial.phases.judge_work import JudgeRequest, ids_asked, ids_in, judge_work, remove_unsent, write_requests
from promptrial.phases.judges import RunJudge, judges_of
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.spending import budget_of
from promptrial.phases.work import planned_work
from promptrial.scoring.judge_messages import repair_turns

__all__ = ["ask_judges"]

_Needed = dict[str, dict[str, list[Question]]]
"""By trial and by scorer, what has to be asked, in order, each question once."""


def ask_judges(spec: RunSpec, services: Services) -> None:
    """See that every answer of the trials that are worked on has a verdict, or a second reply that is none either.

    Raises
    ------
    UsageError
        If the run has no consent to spend what that may cost.
    PhaseFailedError, StopRequested, CostCapReached, ActionNeeded
        As the queue does.

    Side effects: request files, journals, manifests and, for hosted judges, jobs.
    """
    judges = judges_of(spec)
    if not judges:
        return
    needed = _needed(spec, services, judges)
    _write(spec, services, judges, needed)
    _bring_home(spec, services, judges, needed)
    if _write_repairs(spec, services, judges, needed):
        _bring_home(spec, services, judges, needed)
    for trial in spec.trials:  # also what a process left that was killed right before this
        folder = spec.run.trial(trial.slug)
        if folder.journal.path.exists():
            services.save_manifest(trial.slug)
            folder.journal.clear()


def _needed(spec: RunSpec, services: Services, judges: Mapping[str, RunJudge]) -> _Needed:
    found: _Needed = {}
    for trial in spec.active:
        own: dict[str, dict[str, Question]] = {name: {} for name in judges}
        for item, answers in judged_answers(spec, trial):
            services.stop.check()
            for name, judge in judges.items():
                for claim in claims_of(judge, item, answers):
                    own[name].update((question.id, question) for question in claim.questions)
        found[trial.slug] = {name: list(questions.values()) for name, questions in own.items()}
    return found


def _write(spec: RunSpec, services: Services, judges: Mapping[str, RunJudge], needed: _Needed) -> None:
    """Write what has not been asked yet, trial by trial."""
    for name, judge in judges.items():
        wanted = {question.id for own in needed.values() for question in own[name]}
        kept = wanted | {request_id + REPAIR for request_id in wanted}
        for slug in needed:
            remove_unsent(spec, services.manifest(slug), slug, judge, kept)
        asked = ids_asked(spec, judge)
        for slug, own in needed.items():
            services.stop.check()
            new = [question for question in own[name] if question.id not in asked]
            asked.update(question.id for question in new)
            write_requests(spec, slug, judge, (_request(judge, question) for question in new))


def _request(judge: RunJudge, question: Question) -> JudgeRequest:
    return JudgeRequest(question.id, judge.settings.messages(question.shown))


def _write_repairs(spec: RunSpec, services: Services, judges: Mapping[str, RunJudge], needed: _Needed) -> bool:
    """Write a second request for each reply that is not a verdict; return whether there is any that is not answered."""
    some = False
    for name, judge in judges.items():
        replies, asked = read_replies(spec, judge), ids_asked(spec, judge)
        for slug, own in needed.items():
            services.stop.check()
            again = [question for question in own[name] if replies.to_repair(question.id) is not None]
            some = some or bool(again)
            new = [question for question in again if question.id + REPAIR not in asked]
            asked.update(question.id + REPAIR for question in new)
            write_requests(spec, slug, judge, (_repair(judge, question, replies.text(question.id)) for question in new))
    return some


def _repair(judge: RunJudge, question: Question, said: tuple[str, str]) -> JudgeRequest:
    messages = (*judge.settings.messages(question.shown), *repair_turns(*said))
    return JudgeRequest(question.id + REPAIR, messages)


def _bring_home(spec: RunSpec, services: Services, judges: Mapping[str, RunJudge], needed: _Needed) -> None:
    """Submit and fetch what is not here yet, as *submit* and *poll* do."""
    from promptrial.phases.queues import queue_of  # which a run without judges does without

    judged = judge_work(spec, services, spec.trials)
    parts = list(_wanted(judges, judged, needed))
    if all(part.downloaded for part in parts):
        return
    everything = [*planned_work(spec, services, spec.trials), *judged]
    require_leave_to_buy_again(spec, parts)
    _describe(spec, services, judges, parts)
    require_consent(spec, services, everything, judges_ahead=False)
    names = {part.name for part in parts}
    others = [part for part in judged if part.name not in names]
    rows = sum(part.part.rows for part in parts)
    with (
        queue_of(spec, services, parts, budget_of(spec, services, everything), others) as queue,
        services.progress.task("judge", RUN, rows, queue.finished()) as task,
    ):
        queue.submit(task)
        queue.collect(task)


def _wanted(judges: Mapping[str, RunJudge], judged: Sequence[PartWork], needed: _Needed) -> Iterator[PartWork]:
    """Yield the parts of the trials that are worked on, and those of others that hold what they need."""
    wanted = {
        judge.name: {question.id for own in needed.values() for question in own[name]} for name, judge in judges.items()
    }
    for part in judged:
        own = wanted[part.part.condition]
        if part.folder.slug in needed or not own.isdisjoint(
            wire_id.removesuffix(REPAIR) for wire_id in ids_in(part.folder, part.part)
        ):
            yield part


def _describe(spec: RunSpec, services: Services, judges: Mapping[str, RunJudge], parts: Sequence[PartWork]) -> None:
    """Record which models judge, before any is asked. Side effects: saves manifests."""
    for slug in dict.fromkeys(part.folder.slug for part in parts):
        manifest, trial = services.manifest(slug), spec.trial(slug)
        for judge in judges.values():
            own = [part for part in parts if part.folder.slug == slug and part.part.condition == judge.name]
            record = manifest.own(judge.name)
            if own and record is not None:
                services.stop.check()
                record.engine = engine_for(spec, services, trial, judge.model, own)
        services.save_manifest(slug)
