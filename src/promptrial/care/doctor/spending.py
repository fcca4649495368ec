"""What was paid for, or may have been: attempts in doubt, jobs that no part claims, answers that are not here.

All of it is read from the ledger of each part, and from the plain files beside the results that name each job. What
the provider knows is not asked: a resume does that.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from promptrial import registry
from promptrial.care.doctor.document import Finding, Kind, Severity
from promptrial.care.doctor.sight import Sight, file_problem, quoted
from promptrial.care.status import cap_reached, pilot_ended
from promptrial.model.arms import ArmName, arm_of
from promptrial.providers.base import BatchProvider
from promptrial.store import breadcrumbs
from promptrial.store.breadcrumbs import Breadcrumb
from promptrial.store.part_records import IN_DOUBT, Intent, PartRecord, ReusedAnswers
from promptrial.store.rundir import TrialDir

__all__ = ["cap_findings", "orphan_jobs", "part_findings", "pilot_findings"]

_CAP: Final = re.compile(r"(?:all that is left into one|everything that is left needs a cap) of (\S+) USD")
_IN_FLIGHT: Final = ("submitted", "running", "completed")
_NEVER_ANSWERED: Final = ("pending", "failed", "cancelled")
_UNANSWERED: Final = ("requests have no answer", "unanswered")
"""What the record of a part says where answers are missing permanently, by this version and by earlier ones."""


def cap_findings(sight: Sight) -> Iterator[Finding]:
    """Yield that the run has stopped at a cap, with the command that resumes it with the cap that it named."""
    said = None if sight.state is None or sight.working else cap_reached(sight.state)
    if said is None:
        return
    named = _CAP.search(said)
    command = None if named is None else f"{sight.run.resume_command} --max_cost_usd {named[1]}"
    yield Finding(
        kind="cost_cap", severity="note", file=sight.run.state_path.name, meaning=f"stopped: {said}", command=command
    )


def pilot_findings(sight: Sight) -> Iterator[Finding]:
    """Yield that the run is at the end of its pilot, with the command that goes on."""
    items = None if sight.state is None or sight.working else pilot_ended(sight.state)
    if items is not None:
        yield Finding(
            kind="pilot",
            severity="note",
            file=sight.run.state_path.name,
            meaning=f"the pilot of {items} items of each data set is finished; this command asks the rest",
            command=f"{sight.run.resume_command} --yes",
        )


def part_findings(sight: Sight) -> Iterator[Finding]:
    """Yield what the ledgers of the run's parts say about answers and attempts.

    While a process is at work, nothing can be said about what it has in hand.
    """
    if sight.working:
        return
    for slug in sight.trials:
        manifest, cut = sight.manifests.get(slug), sight.parts_of(slug)
        for name, part in (manifest.parts if manifest is not None else {}).items():
            if cut is None or name in cut:
                yield from _of_part(sight, sight.run.trial(slug), name, part)


def _of_part(sight: Sight, folder: TrialDir, name: str, part: PartRecord) -> Iterator[Finding]:
    problem = _problem(sight, folder, name, part)
    is_lost = part.lost is True
    if is_lost:
        yield _gone(sight, folder, name, part)
    elif part.status == "downloaded" and problem:
        yield _lost(sight, folder, name, part, problem)
    if not part.attempts:
        if part.reused and part.status != "downloaded":
            yield from _fetched_and_lost(sight, folder, name, part)
        return
    home = part.status == "downloaded" and not problem
    if part.status in IN_DOUBT and not is_lost:
        yield _in_doubt(sight, folder, name, part)
    elif part.status in _IN_FLIGHT and not is_lost:
        yield _not_fetched(sight, folder, name, part)
    if home:
        yield from _short(sight, folder, name, part)
    else:
        yield from _fetched_and_lost(sight, folder, name, part)
    yield from _superseded(sight, folder, name, part, home=home)


def _problem(sight: Sight, folder: TrialDir, name: str, part: PartRecord) -> str:
    """Return what is wrong with the answers of a part that are said to be here."""
    path = folder.part_results(name)
    return "" if part.results is None else file_problem(sight.run, sight.run.relative(path), part.results)


def _lost(sight: Sight, folder: TrialDir, name: str, part: PartRecord, problem: str) -> Finding:
    """Return a finding for answers that were sealed; those that a provider computed are fetched from it again."""
    rows = part.results.rows if part.results is not None else None
    if part.reused and not part.attempts and sight.manifests[folder.slug].is_hosted(arm_of(part.resume_key)):
        return _no_longer_taken_over(sight, folder, name, part, problem)
    if not part.attempts and _is_live(sight, folder, part):
        meaning = (
            f"{problem}: the {rows} answers of {name}, which were paid for, have changed since they were saved; "
            "those that can be read are kept, and the others are asked again only with --rebuy"
        )
        return _finding(sight, "billed_missing", "error", folder.part_results(name), meaning)
    if not part.attempts:
        meaning = (
            f"{problem}: the {rows} answers of {name} have changed since they were saved; they are computed again, "
            "at no cost"
        )
        return _finding(sight, "artifact", "error", folder.part_results(name), meaning)
    meaning = (
        f"{problem}: {rows} answers of job {part.job} that were paid for{_about(part.intents)} have changed since "
        "they were saved; they are fetched again, at no cost"
    )
    return _finding(sight, "billed_missing", "error", folder.part_results(name), meaning)


def _no_longer_taken_over(sight: Sight, folder: TrialDir, name: str, part: PartRecord, problem: str) -> Finding:
    """Return a finding for answers that were taken over from other runs, and are not here as they were."""
    runs = ", ".join(dict.fromkeys(source.run_id for reused in part.reused for source in reused.sources))
    meaning = (
        f"{problem}: answers of {name} were reused from run {runs}, and are missing or changed; they are reused "
        "again if that run still has them, and otherwise asked again only with --rebuy"
    )
    return _finding(sight, "billed_missing", "error", folder.part_results(name), meaning)


def _is_live(sight: Sight, folder: TrialDir, part: PartRecord) -> bool:
    """Whether answers without jobs were asked of a server: what is computed here has an engine without a provider."""
    return "provider" in sight.manifests[folder.slug].engine_of(arm_of(part.resume_key))


def _gone(sight: Sight, folder: TrialDir, name: str, part: PartRecord) -> Finding:
    """Return a finding for answers that a resume could no longer get."""
    rows = part.intents[-1].rows if part.intents else part.results.rows if part.results is not None else None
    meaning = (
        f"answers of {name} were paid for and are lost: {part.reason}. This command tries to fetch them once more, "
        f"then asks up to {rows} requests again{_about(part.intents[-1:])}; after several attempts, they count as "
        f"unanswered. If you have the files, put them in {quoted(folder.part_results(name).parent)} first"
    )
    return _finding(sight, "billed_missing", "error", folder.manifest_path, meaning)


def _in_doubt(sight: Sight, folder: TrialDir, name: str, part: PartRecord) -> Finding:
    key, reason = _name(part.intents[-1]), f" ({part.reason})" if part.reason else ""
    if part.status == "unknown":
        meaning = (
            f"waiting: it is not known whether job {key} of {name} was created{reason}. This command looks for it "
            f"once more, and asks its {part.intents[-1].rows} requests again{_about(part.intents[-1:])} if it is not "
            f"found; if you have its answers, put the files in {quoted(folder.part_results(name).parent)} first"
        )
        return _finding(sight, "unknown_intent", "error", folder.manifest_path, meaning)
    meaning = f"job {key} of {name} was being created when the process ended{reason}; a resume looks for it first"
    return _finding(sight, "unknown_intent", "warning", folder.manifest_path, meaning)


def _not_fetched(sight: Sight, folder: TrialDir, name: str, part: PartRecord) -> Finding:
    rows = part.intents[-1].rows
    meaning = (
        f"job {part.job} has {rows} requests of {name}{_about(part.intents[-1:])}; it is paid for, no process waits "
        "for it, and its answers have not been fetched"
    )
    return _finding(sight, "billed_missing", "warning", folder.manifest_path, meaning)


def _short(sight: Sight, folder: TrialDir, name: str, part: PartRecord) -> Iterator[Finding]:
    """Yield what sealed answers lack: rows that came, by the ledger, or such as never came."""
    path, here = folder.part_results(name), part.results.rows if part.results is not None else None
    came = [i.results.rows for i in part.intents if i.results is not None and i.request_sha256 == part.request_sha256]
    paid = sum(rows or 0 for rows in came)
    if here is not None and here < paid:
        meaning = (
            f"{paid} answers of {name} were received and paid for, but only {here} are in its results; they are "
            "fetched again"
        )
        yield Finding(
            kind="billed_missing",
            severity="error",
            file=sight.run.relative(path),
            meaning=meaning,
            command=sight.put_aside_first(path),
        )
    elif part.reason is not None and any(words in part.reason for words in _UNANSWERED):
        meaning = f"{name}: {part.reason}; they count as missing in every report"
        yield _finding(sight, "unanswered", "note", path, meaning)


def _fetched_and_lost(sight: Sight, folder: TrialDir, name: str, part: PartRecord) -> Iterator[Finding]:
    """Yield attempts whose answers were fetched, and are not here as they came although the part is not sealed."""
    sealed = folder.part_results(name)
    for intent in part.intents:
        if intent.results is None or intent.request_sha256 != part.request_sha256 or part.status == "downloaded":
            continue
        paths = (sealed.with_name(f"results.a{intent.attempt}.jsonl"), sealed)
        problems = [file_problem(sight.run, sight.run.relative(path), intent.results) for path in paths]
        if all(problems) and isinstance(intent.reused, ReusedAnswers):
            yield _no_longer_taken_over(sight, folder, name, part, problems[0])
        elif all(problems):
            meaning = (
                f"{problems[0]}: {intent.results.rows} answers of job {_name(intent)} were fetched and paid for"
                f"{_about((intent,))}, and are missing or changed; they are fetched again"
            )
            yield _finding(sight, "billed_missing", "error", paths[0], meaning)


def _superseded(sight: Sight, folder: TrialDir, name: str, part: PartRecord, *, home: bool) -> Iterator[Finding]:
    """Yield attempts that later ones took the place of, and whose answers never came.

    Once the part is home nothing is left to fix in the run; a job that was accepted may still be at work, though.
    """
    last = part.intents[-1]
    for intent in part.intents:
        current = intent is last and intent.request_sha256 == part.request_sha256
        if current or intent.results is not None or intent.status in _NEVER_ANSWERED:
            continue
        why = (
            "has requests that are no longer needed"
            if intent.request_sha256 != part.request_sha256
            else "was abandoned"
        )
        late = sight.late_jobs.get(intent.key, "")
        meaning = (
            f"job {_name(intent)} of {name} {why}{_about((intent,))}, and its {intent.rows} answers are not used; "
            + (f"it was found late ({late})" if late else "this is only recorded")
        )
        accepted = intent.status in _IN_FLIGHT and not late
        yield Finding(
            kind="superseded_job",
            severity="note" if home else "warning",
            file=sight.run.relative(folder.manifest_path),
            meaning=meaning,
            command=(_stop_attempt(sight, folder.slug, part, intent) if accepted else None) if home else sight.repair,
        )


# --- jobs that no part claims ---------------------------------------------------------------------------------------


def orphan_jobs(sight: Sight) -> Iterator[Finding]:
    """Yield jobs that are on record, or named by a file beside the results, and that no part of the run claims."""
    if sight.working:
        return
    for results in sorted(path for path in sight.run.root.glob("*/results") if path.is_dir()):
        folder = sight.run.trial(results.parent.name)
        read = {path: _read(path) for path in sorted(results.glob(f"*{breadcrumbs.JOB_FILE}"))}
        older = [path for path, crumb in read.items() if crumb is not None and crumb.request_sha256 is None]
        if older and folder.slug not in sight.trials:
            meaning = (
                f"promptrial's predecessor recorded {len(older)} jobs here, but no answer of this trial is on disk"
            )
            yield _finding(sight, "orphan_job", "note", results, meaning)
        for path in (path for path in read if path not in older):
            yield from _of_crumb(sight, folder, path, read[path])


def _of_crumb(sight: Sight, folder: TrialDir, path: Path, crumb: Breadcrumb | None) -> Iterator[Finding]:
    manifest, name = sight.manifests.get(folder.slug), path.name.removesuffix(breadcrumbs.JOB_FILE)
    if crumb is None:
        if manifest is None or name not in manifest.parts:
            meaning = f"it names a job of {name} that is recorded nowhere else, and it is damaged"
            yield _finding(sight, "orphan_job", "warning", path, meaning)
        return
    cut, ours = sight.parts_of(folder.slug), folder.slug in sight.trials
    wanted = ours and (cut is None or name in cut)
    part = None if manifest is None else manifest.parts.get(name)
    if wanted and (part is None or _knows(part, crumb) or part.status != "downloaded"):
        if part is None or not _knows(part, crumb):
            known = f"job {crumb.name} of {name} is named here but not recorded"
            meaning = f"{known}; a resume adopts it if its requests are still needed"
            yield _finding(sight, "orphan_job", "warning", path, meaning)
        return
    if part is not None and _knows(part, crumb) and part.status not in (*_IN_FLIGHT, *IN_DOUBT):
        return  # whatever it was part of: its answers came, or it ended without any
    of = f"part {name} of trial {folder.slug}, which this run no longer has" if not wanted else name
    meaning = f"job {crumb.name} of {of}: no part claims it, and its answers will not be fetched"
    yield Finding(
        kind="orphan_job",
        severity="warning",
        file=sight.run.relative(path),
        meaning=f"{meaning}; cancel it at the provider, then rename this file",
        command=_put_away(sight, folder.slug, arm_of(name.rpartition("_p")[0]), crumb, path),
    )


def _read(path: Path) -> Breadcrumb | None:
    try:
        return breadcrumbs.read(path)
    except OSError:
        return None


def _knows(part: PartRecord, crumb: Breadcrumb) -> bool:
    """Whether the record of a part names a job, or was sealed with the answers to its very requests."""
    known = {part.job, *(intent.job for intent in part.intents), *(intent.key for intent in part.intents)}
    answered = part.status == "downloaded" and part.request_sha256 == crumb.request_sha256
    return crumb.name in known or answered


def _put_away(sight: Sight, slug: str, arm: ArmName, crumb: Breadcrumb, path: Path) -> str:
    """Return the command that stops a job, where its provider has one, and puts the file away that names it."""
    stop = _stop_command(sight, slug, arm, crumb.name)
    return f"{f'{stop} && ' if stop else ''}mv {quoted(path)} {shlex.quote(f'{path}.settled')}"


def _stop_attempt(sight: Sight, slug: str, part: PartRecord, intent: Intent) -> str | None:
    return _stop_command(sight, slug, arm_of(part.resume_key), _name(intent), intent.engine)


def _stop_command(
    sight: Sight, slug: str, arm: ArmName, job: str, engine: Mapping[str, Any] | None = None
) -> str | None:
    """Return the command by which a person stops a job; None if there is none, or the provider is an emulator.

    ``engine`` is the one that was asked, if that is on record; otherwise it is taken to be the one of the arm.
    """
    manifest = sight.manifests.get(slug)
    if manifest is None or sight.run.emulator.exists():
        return None
    name = manifest.adapter_of(arm)
    if name not in registry.PROVIDERS:
        return None
    provider: type[BatchProvider] = registry.load("provider", name)
    return provider.stop_by_hand(job, engine or manifest.engine_of(arm))


def _name(intent: Intent) -> str:
    """Return what the vendor calls the job of an attempt; where no record says that, our key for it."""
    return intent.job or intent.key


def _about(intents: tuple[Intent, ...]) -> str:
    """Return what attempts were estimated to cost, in brackets; nothing where that is not known."""
    known = [intent.estimated_usd for intent in intents if intent.estimated_usd is not None]
    return f" (about {sum(known):.4g} USD)" if known and len(known) == len(intents) else ""


def _finding(sight: Sight, kind: Kind, severity: Severity, path: Path, meaning: str) -> Finding:
    command = None if severity == "note" else sight.repair
    return Finding(kind=kind, severity=severity, file=sight.run.relative(path), meaning=meaning, command=command)
