"""The loop: for each phase decide, log the decision, run, commit the receipt, save the state.

State and manifests are written here and nowhere else. The decision is ``plan``'s, the work is the phases'.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from promptrial.design.plan import Action, Selection, decide, decide_one
from promptrial.engine.facts import all_facts, facts_now, facts_of, inputs_of, phases, receipt_of
from promptrial.engine.space import check_space
from promptrial.errors import PhaseBlockedError, PhaseFailedError, PromptrialError, StopRequested
from promptrial.model.units import RUN, Unit
from promptrial.phases.base import Phase, Produced
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.runtime import memory
from promptrial.store import atomic, records
from promptrial.store.change_records import Consent
from promptrial.store.part_records import listed
from promptrial.store.records import Manifest, Origin, Receipt, RunState, StageRecord, TrialManifest
from promptrial.store.transitions import transition

__all__ = ["Engine"]


@dataclass(slots=True)
class Engine:
    """Follows the plan of one run.

    Parameters
    ----------
    spec : RunSpec
    services : Services
        With the manifests of all trials loaded or made.
    state : RunState
    """

    spec: RunSpec
    services: Services
    state: RunState

    def plan(self, selection: Selection) -> tuple[Action, ...]:
        """Return what ``run`` would do now; changes nothing."""
        return decide([phase.planned for phase in phases()], selection, all_facts(self.spec, self.services))

    def run(self, selection: Selection) -> None:
        """Work through the selected phases.

        Raises
        ------
        PhaseBlockedError
            If a selected phase needs something that no selected phase makes.
        StopRequested
            If the run was asked to stop; the state says ``stopped``.
        PromptrialError
            What a phase failed with; the state says ``failed`` and why.
        """
        if self.state.stop_requested:
            self.state.stop_requested = False
            self._save_state()
        self.services.stop.on_notice = self._note_stop
        active = tuple(trial for trial in self.spec.trials if selection.wants(Unit(trial.slug)))
        self.spec = replace(self.spec, active=active)
        earlier: dict[str, Action] = {}
        executed, order, at = False, phases(), 0
        while at < len(order):
            phase = order[at]
            at += 1
            if self._follow(phase, selection, earlier):
                executed = True
                at = self._next(order, at, selection)
        if not executed:
            self.services.events.say(self._nothing_done())

    def _follow(self, phase: Phase, selection: Selection, earlier: dict[str, Action]) -> bool:
        """Decide on a phase and run it if it is to run; return whether it was."""
        facts = facts_now(self.spec, self.services)
        action = decide_one(phase.planned, selection, facts, earlier)
        earlier[phase.name] = action
        self.services.events.event("gate", phase=phase.name, action=action.verb, reason=action.reason)
        if action.verb == "blocked":
            raise PhaseBlockedError(f"{phase.name} is {action}", hint=self.spec.run.resume_command)
        if action.verb == "execute":
            self._execute(phase, action)
            return True
        if action.done and all(fact.done for fact in facts(phase.name)):
            self._catch_up(phase, facts(phase.name)[-1].unit)
        return False

    def _next(self, order: Sequence[Phase], at: int, selection: Selection) -> int:
        """Return the place of the phase to follow next: an earlier one where the last one found that more is left."""
        last = order[at - 1]
        if last.continues_with not in selection.phases:
            return at
        wanted = (fact for fact in facts_of(self.spec, self.services, last) if selection.wants(fact.unit))
        if all(fact.done for fact in wanted):
            return at
        return next(place for place, phase in enumerate(order) if phase.name == last.continues_with)

    def _nothing_done(self) -> str:
        """Return what to say about an invocation that found nothing to do: other steps or trials may be left."""
        left = list(dict.fromkeys(fact.phase for fact in all_facts(self.spec, self.services) if not fact.done))
        if not left:
            return "nothing was left to do"
        return f"nothing was left to do in the selected phases; not done: {', '.join(left)}"

    def _execute(self, phase: Phase, action: Action) -> None:
        self.services.events.event("phase", "info", f"{phase.name}: running{action.why}", phase=phase.name)
        try:
            self.services.stop.check()
            self._move(phase, "in_progress")
            self.services = replace(
                self.services,
                checkpoint=self._follow_pieces(phase),
                save_manifest=self._save_manifest,
                keep_consent=self._keep_consent,
            )
            self._execute_each(phase, (RUN,) if phase.run_trial is None else action.units)
            # Otherwise some trials were left out, by a filter: there the phase waits to be taken up.
            done = all(fact.done for fact in facts_of(self.spec, self.services, phase))
            self._move(phase, "completed" if done else "stopped")
        except StopRequested as stop:
            self._stopped(phase, str(stop))
            raise
        except Exception as error:  # the edge of a phase: recorded, then raised on
            with suppress(OSError):  # a full disk keeps the records of before; what went wrong first is what is said
                self._fold_journals()
                self._move(phase, "failed", f"{type(error).__name__}: {error}")
            raise

    def _execute_each(self, phase: Phase, units: Sequence[Unit]) -> None:
        """Work on the units one by one; one that fails does not stop the others, but what comes after them all."""
        failed: list[PromptrialError] = []
        for unit in units:
            if unit == RUN and not self._trials_done(phase):
                continue
            try:
                self._execute_one(phase, unit)
            except PromptrialError as error:
                failed.append(error)
        if len(failed) > 1:
            raise PhaseFailedError(
                f"{len(failed)} trials failed:\n  " + "\n  ".join(e.message for e in failed), hint=failed[0].hint
            )
        if failed:
            raise failed[0]

    def _catch_up(self, phase: Phase, last: Unit) -> None:
        """Record a phase that was found done, if its state does not say so: a kill came between the two."""
        if self.state.phases[phase.name].status == "completed":
            return
        self._move(phase, "in_progress")
        if phase.content_addressed:
            self._commit(phase, RUN, Produced({}), Receipt({}, {}))
        self._checkpoint(phase, last)
        self._move(phase, "completed")

    def _trials_done(self, phase: Phase) -> bool:
        """Whether the whole run's turn has come: the phase works on no single trial, or has done so for every one."""
        if phase.run_trial is None:
            return True
        return all(fact.done for fact in facts_of(self.spec, self.services, phase) if fact.unit != RUN)

    def _execute_one(self, phase: Phase, unit: Unit) -> None:
        self.services.stop.check()
        check_space(self.spec, self.services, phase, unit)
        self._set_damaged_aside(phase, unit)
        produced = phase.run(self.spec, self.services, unit)
        memory.give_back_freed()
        receipt = Receipt(
            {self.spec.run.relative(path): file for path, file in produced.artifacts.items()},
            inputs_of(self.spec, self.services, phase, unit),
        )
        self._commit(phase, unit, produced, receipt)
        self._checkpoint(phase, unit)
        self._save_state()

    def _set_damaged_aside(self, phase: Phase, unit: Unit) -> None:
        """Keep artifacts that are not what the phase recorded, and not explained by anything that it is made from."""
        receipt = receipt_of(self.spec, self.services, phase, unit)
        if (
            phase.content_addressed
            or receipt is None
            or receipt.inputs != inputs_of(self.spec, self.services, phase, unit)
        ):
            return
        for relative, expected in receipt.artifacts.items():
            path = self.spec.run.root / relative
            if os.path.lexists(path) and self.spec.run.file_problem(relative, expected):
                aside = atomic.set_aside(path)
                self.services.events.warn(f"{relative} is damaged; it was renamed to {aside.name} and is built again")

    def _checkpoint(self, phase: Phase, unit: Unit) -> None:
        now = self.services.clock.now()
        self.state.last_checkpoint = records.Checkpoint(phase.name, unit.trial, unit.piece or None, now)

    def _follow_pieces(self, phase: Phase) -> Callable[[Unit], None]:
        """Return what a phase calls when a piece of its work is done: the state then says so."""

        def follow(unit: Unit) -> None:
            self._checkpoint(phase, unit)
            self._save(self.spec.run.state_path, self.state)
            self.services.events.event(
                "checkpoint", "debug", phase=phase.name, trial=unit.trial, resume_key=unit.piece or None
            )

        return follow

    def _keep_consent(self, consent: Consent) -> None:
        """Record what the run may spend, in the state and in each trial, because a state may be lost."""
        consents = [*listed(self.state.consents), consent]
        self.state.consents = consents
        self._save_state()
        for manifest in self.services.manifests.values():
            if isinstance(manifest.origin, Origin):
                manifest.origin = msgspec.structs.replace(manifest.origin, consents=consents)
        self.spec = replace(self.spec, terms=self.spec.terms._replace(consents=tuple(consents)))

    def _note_stop(self, reason: str) -> None:
        """Say in the state that a stop was asked for, as soon as it is seen: what is in flight may take hours yet."""
        self.state.stop_requested = True
        with suppress(OSError):  # the stop continues; what it saves at its end is not optional
            self.services.events.event("stop", reason=reason)
            self._save_state()

    def _commit(self, phase: Phase, unit: Unit, produced: Produced, receipt: Receipt) -> None:
        if phase.content_addressed:
            self._fold_journals()
            for fact in facts_of(self.spec, self.services, phase) if phase.stage else ():
                if fact.done:  # not the trials that were left out
                    self._commit_parts(phase, fact.unit)
        elif unit.trial is None:
            records.save(self.spec.run.root / phase.manifest, Manifest(receipt=receipt, facts=dict(produced.facts)))
        else:
            self._commit_stage(phase.stage, unit.trial, receipt)

    def _commit_parts(self, phase: Phase, unit: Unit) -> None:
        assert unit.trial is not None  # noqa: S101 - the units of such a phase are trials
        receipt = receipt_of(self.spec, self.services, phase, unit)
        artifacts = receipt.artifacts if receipt is not None else {}
        inputs = inputs_of(self.spec, self.services, phase, unit)
        self._commit_stage(phase.stage, unit.trial, Receipt(artifacts, inputs))

    def _commit_stage(self, stage: str, slug: str, receipt: Receipt) -> None:
        now = self.services.clock.now()
        self.services.manifest(slug).stage_status[stage] = StageRecord(
            "completed", now, receipt.artifacts, receipt.inputs
        )
        self._save_manifest(slug)

    def _stopped(self, phase: Phase, reason: str) -> None:
        self._fold_journals()
        self.state.stop_requested = True
        if self.state.phases[phase.name].status == "in_progress":
            self._move(phase, "stopped", reason or None)
        else:
            self._save_state()

    def _fold_journals(self) -> None:
        for trial in self.spec.trials:
            folder = self.spec.run.trial(trial.slug)
            self._save_manifest(trial.slug)
            folder.journal.clear()

    def _save_manifest(self, slug: str) -> None:
        manifest = self.services.manifest(slug)
        manifest.timestamps["updated_at"] = self.services.clock.now()
        self._save(self.spec.run.trial(slug).manifest_path, manifest)

    def _move(self, phase: Phase, status: records.PhaseStatus, error: str | None = None) -> None:
        said = None if error is None else self.services.events.redact(error)
        transition(self.state, phase.name, status, self.services.clock.now(), said)
        self._save_state()

    def _save_state(self) -> None:
        self._save(self.spec.run.state_path, self.state)
        self.services.events.event("state", phases={name: phase.status for name, phase in self.state.phases.items()})

    @staticmethod
    def _save(path: Path, record: RunState | TrialManifest) -> None:
        records.save(path, record)
