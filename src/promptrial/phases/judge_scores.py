"""From the replies of judges to scores: a column for each judge, a table of its verdicts, and counts."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from promptrial.documents.judges import FILE, ArmJudged, JudgeRecord, JudgeSummary, PairBias, encode
from promptrial.model import Trial, ids
from promptrial.phases.judge_questions import Claim, claims_of, judged_answers
from promptrial.phases.judge_replies import Replies, read_replies
from promptrial.phases.judgement_rows import JUDGEMENT_COLUMNS, JUDGEMENTS, judgement_row
from promptrial.phases.judges import RunJudge, judges_of
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.scoring.contract import Scorer
from promptrial.scoring.judge_messages import Verdict
from promptrial.scoring.types.judge import Judged, JudgeSettings, Lookup
from promptrial.scoring.types.pairwise_judge import PairwiseJudge
from promptrial.store.atomic import AtomicFile
from promptrial.store.part_records import FileRecord
from promptrial.store.tables import TableWriter

__all__ = ["Judgements", "judge_scores", "judge_trial", "judged_scorer"]


class Judgements(NamedTuple):
    """The scores of a trial by its judges: for each scorer what gives the score of a row, and what is recorded."""

    lookups: dict[str, Lookup]
    record: JudgeRecord


def _keep_none(_row: Sequence[Any], _characters: int) -> None:
    """Keep no row: what gives the scores is enough."""


def judge_trial(spec: RunSpec, trial: Trial, write: Callable[[Sequence[Any], int], None] = _keep_none) -> Judgements:
    """Return the scores that the judges of a run give to the answers of a trial, as far as their replies are here.

    ``write`` gets the rows of ``JUDGEMENT_COLUMNS``, item by item, each with the length of its texts.
    """
    columns = {name: _Column(judge, read_replies(spec, judge)) for name, judge in judges_of(spec).items()}
    for item, answers in judged_answers(spec, trial) if columns else ():
        key = ids.item_key(item.dataset, item.id)
        for name, column in columns.items():
            for claim in claims_of(column.judge, item, answers):
                answer = claim.answer
                score, verdicts = column.take(claim)
                place = answer.arm, answer.temp, answer.sample_index
                row = judgement_row(name, key, place, score, verdicts, flagged=claim.flagged)
                write(row, sum(len(each.reason) for each in verdicts))
    summaries = [column.summary(spec.config.scorers_in_use[name].kind, name) for name, column in columns.items()]
    return Judgements({name: column.scores.get for name, column in columns.items()}, JudgeRecord(judges=summaries))


def judged_scorer(name: str, scorer: Scorer, lookups: Mapping[str, Lookup]) -> Scorer:
    """Return a judge with its scores, none of which is known where nothing gives them; any other scorer as it is."""
    if not isinstance(scorer, JudgeSettings):
        return scorer
    return Judged(name, scorer, lookups.get(name, lambda _row: math.nan))


def judge_scores(
    spec: RunSpec, services: Services, trial: Trial
) -> tuple[dict[Path, FileRecord], Mapping[str, Lookup]]:
    """Ask the judges, if there are any, and write down what they found; return the files, and the scores of rows."""
    results = spec.run.trial(trial.slug).results
    if not trial.judges:
        return {}, {}
    from promptrial.phases.judging import ask_judges  # which a run without judges does without

    ask_judges(spec, services)
    with TableWriter(results / JUDGEMENTS, JUDGEMENT_COLUMNS) as table:
        judged = judge_trial(spec, trial, table.append)
    with AtomicFile(results / FILE) as file:
        file.write(encode(judged.record))
    return table.records() | {results / FILE: FileRecord(file.sha256(), file.size)}, judged.lookups


class _Scores:
    """Scores by row; NaN where there is none."""

    def __init__(self) -> None:
        self._held = array("d")

    def set(self, row: int, score: float) -> None:
        if row >= len(self._held):
            self._held.extend([math.nan] * (row + 1 - len(self._held)))
        self._held[row] = score

    def get(self, row: int) -> float:
        return self._held[row] if row < len(self._held) else math.nan


class _Column:
    """One judge: its replies, the scores that follow, and the counts."""

    def __init__(self, judge: RunJudge, replies: Replies) -> None:
        self.judge = judge
        self.scores = _Scores()
        self._replies = replies
        self._arms: dict[str, ArmJudged] = {}
        self._bias = PairBias()

    def take(self, claim: Claim) -> tuple[float, Sequence[Verdict]]:
        """Count one answer, and return its score and the verdicts that it follows from; none if any is missing."""
        asked = [question.id for question in claim.questions]
        verdicts = self._replies.verdicts(asked)
        score = math.nan if verdicts is None else claim.score(verdicts)
        self.scores.set(claim.answer.row, score)
        arm = self._arms.setdefault(claim.answer.arm, ArmJudged())
        arm.answers += 1
        arm.scored += not math.isnan(score)
        arm.missing += math.isnan(score)
        arm.repaired += any(map(self._replies.is_repaired, asked)) and verdicts is not None
        arm.flagged += claim.flagged
        if verdicts and claim.lengths:
            self._note_pair(verdicts, score, claim.lengths)
        return score, verdicts or []

    def _note_pair(self, verdicts: Sequence[Verdict], score: float, lengths: Sequence[int]) -> None:
        said, bias = [str(each.value) for each in verdicts], self._bias
        bias.pairs += 1
        bias.consistent += score in {0.0, 1.0} or said == ["tie", "tie"]
        bias.first += said.count("A")
        bias.second += said.count("B")
        bias.ties += said.count("tie")
        other, own = lengths
        if own != other and score != 0.5:
            won_by_longer = (score > 0.5) == (own > other)
            bias.longer += won_by_longer
            bias.shorter += not won_by_longer

    def summary(self, kind: str, name: str) -> JudgeSummary:
        judge = self.judge
        return JudgeSummary(
            scorer=name,
            type=kind,
            model=judge.model.shown_id,
            provider=judge.model.provider,
            digest=judge.digest,
            arms=self._arms,
            bias=self._bias if isinstance(judge.settings, PairwiseJudge) else msgspec.UNSET,
        )
