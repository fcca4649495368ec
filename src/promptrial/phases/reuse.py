"""Taking over the answers of other runs, so that nothing is asked that was asked before, byte by byte.

It happens when *submit* begins, before anything is asked. What is taken over becomes an attempt of its part that has no
job: a file of rows as the vendor gave them, and a record of where they come from. All that follows treats it as any
other attempt, so that only what it left unanswered is asked. The file comes first, then the record; after a kill it is
done again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from promptrial import registry
from promptrial.config.effective import canonical_json
from promptrial.jobs.answers import Answers, make_ready
from promptrial.jobs.billing import count_billed
from promptrial.jobs.local import PartRows, answered_rows
from promptrial.jobs.recording import Recorder
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec
from promptrial.model.responses import ThinkTags, settle
from promptrial.phases.lending import LentPart, check_lender, lent_parts
from promptrial.phases.prepared import item_keys
from promptrial.phases.rechecking import Place, record_older, withheld
from promptrial.phases.reused import reused_by
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.stored_rows import StoredRows
from promptrial.providers.request_rows import row_id
from promptrial.store import jsonl
from promptrial.store.asked_files import leave_asked
from promptrial.store.part_records import Intent, ReusedAnswers, ReusedFrom
from promptrial.store.reused_files import leave_reused

__all__ = ["completeness", "lendable", "take", "take_over"]

Engines = Mapping[tuple[str, ModelSpec], Mapping[str, Any]]
"""The fingerprint of who answers a trial's arms of a model, by trial and model."""


def take_over(spec: RunSpec, services: Services, work: Sequence[PartWork], engines: Engines) -> None:
    """Give parts that nobody was asked for yet the answers that other runs have to their requests.

    Side effects: files of answers, and a line in the journal for each part that has some.

    Raises
    ------
    UsageError, CorruptRecordError
        If a run cannot lend answers, or a file of it is damaged; what was taken over before is whole and recorded.
    """
    wanted = [each for each in _unasked(work) if not _is_answered(each)] if spec.terms.reuse else []
    if not wanted:
        return
    lent = lendable(spec)
    recorder = Recorder(services.clock, services.events, services.part_done)
    taken, reasons, asked = Counter[LentPart](), Counter[str](), sum(map(_rows_left, wanted))
    again = _asked_again(spec)
    for (model, _), (engine, parts) in _by_engine(wanted, engines).items():
        why_not = {each: each.why_not(model, engine) for each in lent}
        reasons.update(f"{each.folder.run.run_id}: {why}" for each, why in why_not.items() if why)
        rows = StoredRows([each for each in lent if not why_not[each]])
        is_complete = completeness(model, spec.config.models[model.alias].think_tags)
        record_older(spec, parts, rows, again, is_complete)
        for part in parts:
            services.stop.check()
            taken += take(part, recorder, rows, is_complete, again.get(part.folder.slug, {}))
    _say(spec, services, asked, taken, reasons)
    _say_again(services, again, wanted)
    if taken:
        from promptrial.reporting.reused import reuse_warnings

        for trial in spec.active:
            for text in reuse_warnings(reused_by(spec, services.manifests, trial), trial.arms_run):
                services.events.warn(f"{trial.slug}: {text}")


def _asked_again(spec: RunSpec) -> dict[str, Mapping[str, Place]]:
    """Return by trial the requests that are asked although another run may have answered them."""
    if not spec.config.execution.recheck_items:
        return {}
    keys = list(item_keys(spec.run))
    return {trial.slug: withheld(spec, trial, keys) for trial in spec.trials}


def lendable(spec: RunSpec) -> list[LentPart]:
    """Return the sealed parts of the runs whose answers may be taken over, in their order.

    Raises
    ------
    UsageError, CorruptRecordError
        If a run cannot lend answers.
    """
    found: list[LentPart] = []
    for lender in spec.terms.reuse:
        check_lender(lender, spec.run, dry_run=spec.dry_run)
        found += lent_parts(lender)
    return found


def completeness(model: ModelSpec, think_tags: ThinkTags) -> Callable[[bytes], bool]:
    """Return a function that tells whether a row is a complete answer: no error, and not missing for any reason."""
    parse_row = registry.load("provider", model.adapter).parse_row

    def is_complete(line: bytes) -> bool:
        try:
            return settle(parse_row(line), think_tags).error is None
        except ValueError:
            return False

    return is_complete


def _by_engine(
    work: Iterable[PartWork], engines: Engines
) -> dict[tuple[ModelSpec, bytes], tuple[Mapping[str, Any], list[PartWork]]]:
    """Return parts by who answers them: the model and the fingerprint, of which the same stored rows may be taken."""
    found: dict[tuple[ModelSpec, bytes], tuple[Mapping[str, Any], list[PartWork]]] = {}
    for each in work:
        engine = engines[each.folder.slug, each.model]
        found.setdefault((each.model, canonical_json(engine)), (engine, []))[1].append(each)
    return found


def _unasked(work: Sequence[PartWork]) -> Iterator[PartWork]:
    """Yield the parts that nobody was asked for yet; of duplicates one, which is the one that has something.

    Where rows are here and no record says that anything was sent for them, the other requests are not asked yet.
    """
    members, seen = set(work), set[str]()
    for each in work:
        others = [other for other in each.duplicates if other in members]
        if each.submitted or each.in_doubt or each.sent_one_by_one:
            continue
        if any(other.intents or other.sent_one_by_one for other in others) or _others_have_rows(each, others):
            continue
        if not (others and each.request_sha256 in seen) and all(map(_is_unsent, each.intents)):
            seen.add(each.request_sha256)
            yield each


def _others_have_rows(part: PartWork, others: Iterable[PartWork]) -> bool:
    return any(map(answered_rows, others)) and not answered_rows(part)


def _rows_left(part: PartWork) -> int:
    return part.part.rows - len(answered_rows(part))


def _is_answered(part: PartWork) -> bool:
    """Whether there is nothing to take for a part: all of its requests have answers of its own."""
    return not part.rows_reused and _rows_left(part) <= 0


def _is_unsent(intent: Intent) -> bool:
    return intent.status == "pending" or isinstance(intent.reused, ReusedAnswers)


def take(
    work: PartWork,
    recorder: Recorder,
    rows: StoredRows,
    is_complete: Callable[[bytes], bool],
    but: Container[str] = (),
) -> Counter[LentPart]:
    """Take over what there is for one part, except for some wire ids; return from which parts, and how many."""
    answers, taken = Answers(work, recorder), Counter[LentPart]()
    if answers.folder.exists():
        _make_ready(work, recorder)
        if work.downloaded:
            return taken
    damaged = _damaged(work, answers)
    answered = answers.ids() if damaged else answers.ids() | answered_rows(work)
    lines = jsonl.lines(work.folder.requests(work.part.name))
    if answered or but:
        lines = (line for line in lines if row_id(line) not in answered and row_id(line) not in but)
    found = rows.found(lines, is_complete)
    first = next(found, None)
    if first is None:
        return taken

    def counted() -> Iterator[bytes]:
        for part, row in chain([first], found):
            taken[part] += 1
            yield row

    _make_ready(work, recorder)
    attempt = damaged or 1 + max((intent.attempt for intent in work.intents), default=0)
    leave_asked(answers.folder, work.asked)
    file = answers.write(attempt, counted())
    sources = tuple(_source(part, count) for part, count in taken.items())
    reused = ReusedAnswers(at=recorder.clock.now(), sources=sources)
    leave_reused(answers.folder, attempt, reused)
    wanted = [row.custom_id for row in work.requests()]
    billed = count_billed(jsonl.lines(answers.file(attempt)), wanted, work.provider().parse_row)
    recorder.record_reused(work, f"{work.key}-r{attempt}", attempt, file, reused, billed)
    if not work.hosted:
        PartRows(work, recorder).take_reused()
    return taken


def _make_ready(work: PartWork, recorder: Recorder) -> None:
    """Let the part's folder and record be those of the present requests, as is done where they are asked."""
    make_ready(work, recorder)
    if work.record.request_sha256 != work.request_sha256:  # so that what is written counts as its own
        recorder.record(work, "pending", request_sha256=work.request_sha256)


def _damaged(work: PartWork, answers: Answers) -> int | None:
    """Return the number of an attempt whose rows were taken over and are not here as they were."""
    reused = (intent.attempt for intent in work.intents if isinstance(intent.reused, ReusedAnswers))
    return next((attempt for attempt in reused if answers.known(attempt) is None), None)


def _source(part: LentPart, rows: int) -> ReusedFrom:
    return ReusedFrom(
        run_id=part.folder.run.run_id,
        trial=part.folder.slug,
        part=part.name,
        rows=rows,
        requests_sha256=part.requests.sha256,
        results_sha256=part.results.sha256,
        asked_at=part.asked_at,
    )


def _say_again(services: Services, again: Mapping[str, Mapping[str, Place]], wanted: Sequence[PartWork]) -> None:
    """Say how many requests are asked again on purpose."""
    slugs = {each.folder.slug for each in wanted}
    count = sum(len(places) for slug, places in again.items() if slug in slugs)
    if count:
        services.events.say(f"{count:,} requests of reused answers are asked again, to see whether they still hold")


def _say(spec: RunSpec, services: Services, asked: int, taken: Counter[LentPart], reasons: Counter[str]) -> None:
    """Say how many answers of each run were taken over, and why none was where there is none."""
    by_run = Counter[str]()
    for part, rows in taken.items():
        by_run[part.folder.run.run_id] += rows
    for lender in spec.terms.reuse:
        rows = by_run[lender.run_id]
        if rows:
            services.events.say(
                f"{rows:,} of {asked:,} requests were answered by run {lender.run_id}, and are not asked again"
            )
            continue
        why = [text.partition(": ")[2] for text in reasons if text.startswith(f"{lender.run_id}: ") and reasons[text]]
        said = f": {'; '.join(why[:3])}" if why else ": none of its answers is to an identical request"
        services.events.warn(f"no further answer of run {lender.run_id} can be reused{said}")
