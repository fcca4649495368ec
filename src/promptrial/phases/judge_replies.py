"""What judges replied: the sealed rows of ``<trial>/judge/``, read as verdicts. Reads only; asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from promptrial import registry
from promptrial.model import Completion
from promptrial.model.responses import settle
from promptrial.phases.judge_work import judge_parts
from promptrial.phases.judges import RunJudge
from promptrial.phases.spec import RunSpec
from promptrial.scoring.judge_messages import Verdict, VerdictError
from promptrial.store import jsonl

__all__ = ["REPAIR", "Replies", "Unusable", "read_replies"]

REPAIR: Final = "_r"
"""What the id of a request ends with that asks a judge once more."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A reply that is not a verdict: its text (empty if there was none), and why, as the judge may be told."""

    text: str
    problem: str
    can_be_repaired: bool


@dataclass(frozen=True, slots=True)
class Replies:
    """The replies of a judge by the ids of requests."""

    found: Mapping[str, Verdict | Unusable] = field(default_factory=dict)

    def verdict(self, request_id: str) -> Verdict | None:
        """Return the verdict on a request, of the first reply or of the second one; None if there is none."""
        for each in (request_id, request_id + REPAIR):
            reply = self.found.get(each)
            if isinstance(reply, Verdict):
                return reply
        return None

    def is_repaired(self, request_id: str) -> bool:
        """Whether the verdict comes from the second reply."""
        return isinstance(self.found.get(request_id), Unusable) and self.verdict(request_id) is not None

    def to_repair(self, request_id: str) -> Unusable | None:
        """Return the reply that has to be asked for once more; None if there is no need."""
        reply = self.found.get(request_id)
        if isinstance(reply, Unusable) and reply.can_be_repaired and request_id + REPAIR not in self.found:
            return reply
        return None

    def text(self, request_id: str) -> tuple[str, str]:
        """Return a reply that is not a verdict, and why; both empty if it is one."""
        reply = self.found.get(request_id)
        return (reply.text, reply.problem) if isinstance(reply, Unusable) else ("", "")

    def verdicts(self, request_ids: Sequence[str]) -> list[Verdict] | None:
        """Return the verdicts on all of some requests; None if any is missing."""
        found = [self.verdict(each) for each in request_ids]
        known = [each for each in found if each is not None]
        return known if len(known) == len(found) else None


def read_replies(spec: RunSpec, judge: RunJudge) -> Replies:
    """Return what a judge replied, in all trials of a run."""
    think_tags = spec.config.models[judge.model.alias].think_tags
    found: dict[str, Verdict | Unusable] = {}
    for completion in _completions(spec, judge):
        found.setdefault(completion.wire_id, _reply(judge, settle(completion, think_tags)))
    return Replies(found)


def _completions(spec: RunSpec, judge: RunJudge) -> Iterator[Completion]:
    parse_row = registry.load("provider", judge.model.adapter).parse_row
    for trial in spec.trials:
        folder = spec.run.trial(trial.slug)
        for part in judge_parts(spec, trial.slug, judge):
            path = folder.part_results(part.name)
            for line in jsonl.lines(path) if path.exists() else ():
                try:
                    yield parse_row(line)
                except ValueError:  # a row of the vendor's that cannot be read: no verdict
                    continue


def _reply(judge: RunJudge, completion: Completion) -> Verdict | Unusable:
    if completion.error is not None:
        return Unusable("", completion.error, can_be_repaired=_is_worth_it(completion.error))
    try:
        return judge.settings.verdict(completion.text)
    except VerdictError as error:
        return Unusable(completion.text, str(error), can_be_repaired=True)


def _is_worth_it(error: str) -> bool:
    """Whether asking once more may help: the judge spoke, and said nothing that can be used."""
    return error.startswith(("reasoning_only", "length", "empty"))
