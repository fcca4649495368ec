"""Leave to buy again: a setting of a resume, or a loss, that would ask what the run has asked, and paid for, already.

A decision of an earlier process of this run is no such setting: a run that was started without sharing asks identical
parts once for each trial, as it was told to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from promptrial.errors import UsageError
from promptrial.jobs.work import PartWork
from promptrial.phases.settings import was_sent
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import shared_key
from promptrial.store.asked_files import asked_earlier
from promptrial.store.part_records import IN_DOUBT, Intent, PartRecord
from promptrial.store.reused_files import reused_attempts

__all__ = ["require_leave_to_buy_again"]

_UNSHARED: Final = "--no_sharing would ask again requests that another trial of this run has asked"
_CUT_AGAIN: Final = (
    "the prompts of the arms below are unchanged, but their requests were split or selected differently since they "
    "were paid for, so all of them would be asked again"
)
_UNRECORDED: Final = (
    "no record says to which requests the answers on disk are, so these would be put aside and all of them asked again"
)
_ANSWERS_GONE: Final = "these requests were started, no record says how many were answered, and no answer is on disk"
_OTHER_SETTINGS: Final = "resume with the settings that the run was started with; or pay again, with these flags and"
_PUT_BACK: Final = "put run_state.json and trial_manifest.json of the trial back, if you have copies; or pay again"


def require_leave_to_buy_again(spec: RunSpec, work: Sequence[PartWork]) -> None:
    """Refuse, unless told to pay again, to ask what jobs of this run were paid for. A dry run pays nothing.

    Raises
    ------
    UsageError
        Says how many requests it would be, in which parts, and their price where it is known.
    """
    if spec.rebuy or spec.dry_run:
        return
    paid = [each for each in work if each.paid]
    for reason, again, instead in (
        (_UNSHARED, _unshared(spec, paid), _OTHER_SETTINGS),
        (_CUT_AGAIN, chain(_cut_again(spec, paid), _cut_again_off_record(spec, paid)), _OTHER_SETTINGS),
        (_UNRECORDED, _unrecorded(paid), _PUT_BACK),
        (_ANSWERS_GONE, _started_off_record(paid), _PUT_BACK),
    ):
        parts = list(again)
        if parts:
            raise _refusal(spec, reason, parts, instead)


def _unshared(spec: RunSpec, work: Sequence[PartWork]) -> Iterator[PartWork]:
    """Yield parts without a job whose requests another trial has asked, or may have, with a job to be shared."""
    if spec.config.execution.share_identical_arms:
        return
    intents = (intent for each in work for intent in each.intents)
    asked = {i.key.rpartition("-a")[0] for i in intents if i.job is not None or i.status in IN_DOUBT}
    live = (each for each in work if each.record.job is not None and _has_live_rows(each, each.part.name))
    asked.update(str(each.record.job).rpartition("-a")[0] for each in live)
    for each in work:
        if not (each.has_job or each.intents) and shared_key(spec, each) in asked:
            yield each


def _cut_again(spec: RunSpec, work: Sequence[PartWork]) -> Iterator[PartWork]:
    """Yield parts without a job of arms whose prompt is the one on record, and whose earlier requests were paid for."""
    wanted = {each.request_sha256 for each in work}
    for each in work:
        is_let_through = each.record.request_sha256 == each.request_sha256
        if is_let_through or each.submitted or each.intents or each.part.condition not in _unchanged_arms(spec, each):
            continue
        parts = [(name, of) for name, of in each.manifest.parts.items() if of.resume_key == each.part.resume_key]
        if any(_paid_otherwise(record, wanted) for _, record in parts) or any(
            record.request_sha256 not in wanted and _has_live_rows(each, name) for name, record in parts
        ):
            yield each


def _cut_again_off_record(spec: RunSpec, parts: Sequence[PartWork]) -> Iterator[PartWork]:
    """Yield such parts that have no record, as far as files beside the earlier answers show it."""
    wanted = {each.request_sha256 for each in parts}
    off_record = [part for part in parts if _is_off_record(part)]
    results = {part.folder.slug: part.folder.results for part in off_record}
    earlier = {slug: asked_earlier(folder) for slug, folder in results.items()}
    for part in off_record:
        trial = spec.trial(part.folder.slug)
        arms = [arm for arm in trial.arms if arm.name == part.part.condition]  # none of the part of a judge
        others = (each for each in earlier[trial.slug].get(part.part.name, ()) if each.request_sha256 not in wanted)
        sent = [{**each.prompt, "tokens": None} for each in others if each.prompt]
        if any(was_sent(entry, trial, arm) for entry in sent for arm in arms):
            yield part


def _is_off_record(part: PartWork) -> bool:
    return part.record.request_sha256 is None and not part.submitted


def _started_off_record(parts: Sequence[PartWork]) -> Iterator[PartWork]:
    """Yield parts that a file says were asked one by one, and of which neither a record nor an answer is left."""
    for part in parts:
        if _is_off_record(part) and not part.hosted and part.answers_are_to is not None:
            yield part


def _unrecorded(parts: Sequence[PartWork]) -> Iterator[PartWork]:
    """Yield parts with answers that neither a record nor a file beside them says anything of.

    The job of a hosted part is looked for at its provider first; answers of another run have none.
    """
    for part in parts:
        if _is_off_record(part) and part.answers_are_to is None and _has_answers_without_job(part):
            yield part


def _has_answers_without_job(work: PartWork) -> bool:
    rows = work.folder.part_rows(work.part.name)
    return _has_live_rows(work, work.part.name) or rows.exists() or any(reused_attempts(work.answers_folder))


def _has_live_rows(work: PartWork, name: str) -> bool:
    """Whether answers of a part are on disk that were asked for one by one, so that no ledger has a job of it."""
    return not work.hosted and (work.folder.part_rows(name).exists() or work.folder.part_results(name).exists())


def _paid_otherwise(record: PartRecord, wanted: set[str]) -> bool:
    """Whether requests of a part were paid for that are no longer wanted, though their prompt may be.

    A part that was asked again since, with as many requests, holds the same items: its prompt was another one before.
    """
    first: dict[str | None, Intent] = {}
    for intent in record.intents:
        if intent.job is not None:
            first.setdefault(intent.request_sha256, intent)
    now = {intent.rows for digest, intent in first.items() if digest in wanted}
    return any(digest not in wanted and intent.rows not in now for digest, intent in first.items())


def _unchanged_arms(spec: RunSpec, work: PartWork) -> set[str]:
    """Return the arms whose prompt is the one that was sent last, to the same model and by the same templates."""
    trial, sent = spec.trial(work.folder.slug), work.manifest.prompts
    return {arm.name for arm in trial.arms if was_sent(sent.get(arm.name, {}), trial, arm)}


def _refusal(spec: RunSpec, reason: str, again: Sequence[PartWork], instead: str) -> UsageError:
    rows = sum(each.part.rows for each in again)
    costs = [each.estimate_usd(each.part.rows, each.folder.requests(each.part.name).stat().st_size) for each in again]
    known = [usd for usd in costs if usd is not None]
    price = f"about {sum(known):.4g} USD" if len(known) == len(costs) else "at an unknown price"
    names = ", ".join(each.name for each in again[:4]) + (f" and {len(again) - 4} more" if len(again) > 4 else "")
    return UsageError(
        f"{reason}: {rows} requests ({price}), in {names}",
        hint=f"{instead}: {spec.run.resume_command} --rebuy",
    )
