"""What judges will be asked, and what that takes and costs, before there are answers to judge. Reads only; asks nobody.

Each answer counts as if it had to be judged: answers that turn out to be equal are judged once, so that less is asked.
How long answers will be is not known: a quarter of their limit is expected, as everywhere in a plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.costs.ahead import NO_CACHE, usd_ahead
from promptrial.costs.bands import Band
from promptrial.costs.characters import RequestSize, size_of
from promptrial.costs.durations import of_batches
from promptrial.costs.tokens import EXPECTED_SHARE, Estimated, input_tokens, output_tokens
from promptrial.design.parts import DEFAULT_LINES_PER_PART
from promptrial.documents import judges as documents
from promptrial.model import Item, Trial
from promptrial.model.arms import contrasts_of
from promptrial.phases.judge_work import judge_parts
from promptrial.phases.judges import RunJudge, judges_of
from promptrial.phases.quoted import Quoted, Requests
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import reserve_for
from promptrial.scoring.judge_messages import Shown
from promptrial.scoring.types.judge import Judge
from promptrial.scoring.types.pairwise_judge import PairwiseJudge
from promptrial.store.part_records import PartRecord

__all__ = ["judge_quotes"]

_BYTES_OF_TOKEN: Final = 6
"""Bytes that a token of an answer is taken to have at most, in the reserve."""


def judge_label(scorer: str) -> str:
    """Return how plans call the judge of a scorer, in place of an arm."""
    return f"judge {scorer}"


def judge_quotes(spec: RunSpec, services: Services, items: Sequence[Item]) -> Iterator[Quoted]:
    """Yield what each judge of each trial that is worked on will be asked about the answers to some items."""
    for trial in spec.active or spec.trials:
        for judge in judges_of(spec).values() if trial.judges else ():
            yield _quoted(spec, services, trial, judge, items)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What requests about each item once have besides answers: texts, bytes; and the most tokens of the answers."""

    texts: RequestSize
    size: int
    answer_tokens: int


def _quoted(spec: RunSpec, services: Services, trial: Trial, judge: RunJudge, items: Sequence[Item]) -> Quoted:
    times = _times(judge, trial)
    requests = _requests(spec, services, trial, judge, times * len(items))
    label, alias = judge_label(judge.scorer), judge.model.alias
    if not requests.new:
        return Quoted(trial.slug, label, alias, requests)
    share = requests.new / max(1, times * len(items))
    sizes = _sizes(trial, judge, items)
    answers = Band(0.0, EXPECTED_SHARE * sizes.answer_tokens, float(sizes.answer_tokens))
    tokens_in = (input_tokens(sizes.texts).tokens + answers).scaled(times * share)
    tokens_out = output_tokens(requests.new, requests.new * judge.longest)
    size = int((sizes.size + sizes.answer_tokens * _BYTES_OF_TOKEN) * times * share)
    price, hosted = spec.prices.of(judge.model), registry.load("provider", judge.model.adapter).jobs
    jobs = ceil(requests.new / (spec.config.lines_per_part or DEFAULT_LINES_PER_PART)) if hosted else 0
    limit = instance_of(spec.config.providers, judge.model.provider).limits.jobs
    return Quoted(
        trial=trial.slug,
        arm=label,
        model=alias,
        requests=requests,
        input_tokens=Estimated(tokens_in, "default"),
        output_tokens=tokens_out,
        usd=None if price is None else usd_ahead(price, tokens_in, tokens_out.tokens, NO_CACHE),
        reserve_usd=reserve_for(spec, judge.longest, judge.model)(requests.new, size),
        jobs=jobs,
        seconds=of_batches([jobs], limit or spec.config.execution.max_concurrent_jobs) if hosted else None,
    )


def _times(judge: RunJudge, trial: Trial) -> int:
    """Return how many requests a judge gets about one item, if all its answers are there."""
    samples = sum(trial.samples_per_item.values())
    if isinstance(judge.settings, PairwiseJudge):
        return 2 * len(contrasts_of(trial.conditions)) * samples
    return len(trial.conditions) * samples


def _sizes(trial: Trial, judge: RunJudge, items: Sequence[Item]) -> _Sizes:
    texts, size, tokens = RequestSize(), 0, 0
    shown_answers = 2 if isinstance(judge.settings, PairwiseJudge) else 1
    for item in items:
        contents = [message.content for message in judge.settings.messages(_shown(judge, item))]
        texts = texts.plus(size_of(contents))
        size += sum(len(each.encode()) for each in contents)
        tokens += shown_answers * trial.max_new_tokens[item.type]
    return _Sizes(texts, size, tokens)


def _shown(judge: RunJudge, item: Item) -> Shown:
    if isinstance(judge.settings, PairwiseJudge):
        return judge.settings.shown(item, "", "")
    return judge.settings.shown(item, "") if isinstance(judge.settings, Judge) else ()


def _requests(spec: RunSpec, services: Services, trial: Trial, judge: RunJudge, total: int) -> Requests:
    """Return how many requests are answered, sent, and still to be asked."""
    known = services.manifest(trial.slug).parts
    answered = in_flight = 0
    for part in judge_parts(spec, trial.slug, judge):
        record = known.get(part.name, PartRecord(resume_key=part.resume_key))
        if record.status == "downloaded":
            answered += part.rows
        elif record.job is not None:
            in_flight += part.rows
    answered = max(answered, _judged(spec, trial, judge))
    return Requests(new=max(0, total - answered - in_flight), answered=answered, in_flight=in_flight)


def _judged(spec: RunSpec, trial: Trial, judge: RunJudge) -> int:
    """Return how many requests the answers count for that the scores on disk are of."""
    record = documents.read_if_whole(spec.run.trial(trial.slug).results)
    arms = next((found.arms for found in record.judges if found.digest == judge.digest), {}) if record else {}
    if isinstance(judge.settings, PairwiseJudge):
        compared = {name for name, _ in contrasts_of(trial.conditions)}
        return 2 * sum(arm.answers for name, arm in arms.items() if name in compared)
    return sum(arm.answers for arm in arms.values())
