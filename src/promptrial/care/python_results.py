"""What runs show, for Python programs and notebooks: verdicts, tables, plots. Only reads files."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from promptrial.care.label_results import label_report
from promptrial.care.opened import ReadRun, read_run
from promptrial.care.shown_items import ShownItem, Wanted, shown_items, sides_of
from promptrial.care.unfinished import unfinished
from promptrial.care.whole_results import check_finished, is_finished
from promptrial.config.environment import environment
from promptrial.documents.labels import LabelReport
from promptrial.documents.scorers import Declaration
from promptrial.engine.session import Invocation
from promptrial.errors import UsageError
from promptrial.model import Trial
from promptrial.phases.report_facts import marked, trial_result
from promptrial.phases.side_by_side import OUTCOMES, SideBySide
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.page.markup import shown
from promptrial.reporting.plots.forest import forest_of
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.tables import overall_endpoints
from promptrial.reporting.tables.effects import decision
from promptrial.reporting.tables.words import wording
from promptrial.reporting.verdict import Verdict, trial_verdict
from promptrial.runtime.clock import SystemClock
from promptrial.store.next_steps import wait_or_resume
from promptrial.store.rundir import RunDir

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Frame", "Run", "TrialRun", "load_run"]

_FOLDER: Final = "run_"


class Frame:
    """A table of results.

    Attributes
    ----------
    arrow : pyarrow.Table
    """

    def __init__(self, arrow: pa.Table) -> None:
        self.arrow = arrow

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.arrow.num_rows)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Give the table to any library that takes Arrow's C stream, without a copy."""
        return self.arrow.__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas may not be installed
        """Return the table as a DataFrame of pandas, which has to be installed."""
        return self.arrow.to_pandas()

    def to_polars(self) -> Any:  # noqa: ANN401 - likewise
        """Return the table as a DataFrame of Polars, which has to be installed."""
        return importlib.import_module("polars").from_arrow(self.arrow)

    def __repr__(self) -> str:
        """Return the columns, and how many rows there are."""
        return f"Frame of {len(self):,} rows: {', '.join(self.arrow.column_names)}"


@dataclass
class TrialRun:
    """What one trial of a run shows.

    Every table has a row for each item at each temperature, arm and, in ``responses``, replicate.
    """

    found: ReadRun
    trial: Trial

    @property
    def name(self) -> str:
        """The name of the trial."""
        return self.trial.slug

    @cached_property
    def result(self) -> TrialResult:
        """Everything that its report is made from; scores are shares of their ranges."""
        return replace(self._made, significance=as_shares(self._made.significance))

    @cached_property
    def _made(self) -> TrialResult:
        """The same with the scores as they are."""
        made = trial_result(self.found.spec, self.found.services, self.trial)
        return marked(made, unfinished(self.found, self.trial))

    @cached_property
    def sides(self) -> SideBySide:
        """Its items side by side."""
        return sides_of(self.found, self.trial)

    @cached_property
    def verdict(self) -> Verdict:
        """What it shows, in sentences, and the warnings beside them."""
        with wording(self._scorers):
            return trial_verdict(self.result)

    @property
    def _scorers(self) -> Mapping[str, Declaration]:
        return self.result.facts.scorers

    @cached_property
    def effects(self) -> Frame:
        """The effects over all items, in the units of the scores: means, difference, interval, p, decision."""
        import pyarrow as pa

        significance = self._made.significance
        rows = [
            {
                "metric": row.metric,
                "contrast": str(row.compared),
                "temperature": row.temp,
                "primary": row.metric in significance.settings.primary,
                "n_pairs": row.n_pairs,
                "mean_control": row.arms[0].mean_paired,
                "mean_treatment": row.arms[1].mean_paired,
                "difference": row.difference,
                "ci_low": row.ci_low,
                "ci_high": row.ci_high,
                "p": row.p,
                "p_adjusted": row.p_adjusted,
                "significant": row.significant,
                "decision": decision(row),
            }
            for row in overall_endpoints(significance)
        ]
        return Frame(pa.Table.from_pylist(rows))

    def labels(self, *sheets: str | os.PathLike[str]) -> LabelReport:
        """Return what the labels in sheets of ``promptrial label`` say about the measure that they were drawn for.

        Each sheet is of another person.

        Raises
        ------
        DataError
            If the sheet is not in order.
        """
        return label_report(self.found, self.trial, [Path(each) for each in sheets])

    @property
    def items(self) -> Frame:
        """The items: key, data set, question, passage, gold, temperature, and what became of each in the contrasts."""
        import pyarrow as pa

        codes = {str(each): self.sides.outcomes(each) for each in self.sides.contrasts}
        rows = []
        for number in range(len(self.sides)):
            item = self.sides.item(number)
            rows.append(
                {
                    "number": number + 1,
                    "dataset": item.dataset,
                    "item_id": item.id,
                    "temperature": self.sides.unit(number).temp,
                    "question": item.question,
                    "passage": item.context,
                    "gold": list(item.answers),
                    **{f"outcome {name}": OUTCOMES[int(code[number])] for name, code in codes.items()},
                }
            )
        return Frame(pa.Table.from_pylist(rows))

    @property
    def responses(self) -> Frame:
        """What came back, as ``predictions.parquet`` has it."""
        return self._table("predictions.parquet")

    @property
    def scores(self) -> Frame:
        """The mean score of each item, as ``per_item_scores.parquet`` has it."""
        return self._table("per_item_scores.parquet")

    def _table(self, name: str) -> Frame:
        import pyarrow.parquet as pq

        return Frame(pq.read_table(self.found.spec.run.trial(self.trial.slug).results / name, memory_map=False))

    def changed(self) -> Iterator[ShownItem]:
        """Yield the items that became right or wrong between the arms of the first contrast."""
        yield from shown_items(self.sides, Wanted(("fixed", "broken")))

    def plot(self) -> str:
        """Return the effects with their intervals as SVG."""
        significance = self.result.significance
        with wording(self._scorers):
            rows = overall_endpoints(significance)
            return forest_of(significance, rows, self.result.facts.arm_labels, name="forest-notebook")

    def _repr_html_(self) -> str:
        """Return the verdict, its warnings and the plot, as a notebook shows them."""
        said = "".join(f"<p><b>{shown(text)}</b></p>" for text in self.verdict.sentences)
        warned = "".join(f"<p>{shown(each.line)}</p>" for each in self.verdict.warnings)
        return f"<div><p>{shown(self.name)}</p>{said}{warned}{self.plot()}</div>"

    def __repr__(self) -> str:
        """Return the verdict as text."""
        lines = [*self.verdict.sentences, *(each.line for each in self.verdict.warnings)]
        return "\n".join([self.name, *(f"  {line}" for line in lines)])


@dataclass
class Run:
    """A run and what it shows.

    Attributes
    ----------
    run_id : str
    folder : Path
    trials : dict of str to TrialRun
        By name. A run of one trial has the attributes of that trial as its own.
    """

    run_id: str
    folder: Path
    trials: dict[str, TrialRun] = field(default_factory=dict)

    @property
    def trial(self) -> TrialRun:
        """The only trial.

        Raises
        ------
        UsageError
            If there are several.
        """
        if len(self.trials) != 1:
            raise UsageError(f"run {self.run_id} has several trials: {', '.join(self.trials)}", hint="run.trials[NAME]")
        return next(iter(self.trials.values()))

    @property
    def verdict(self) -> Verdict:
        """The verdict of the only trial."""
        return self.trial.verdict

    @property
    def items(self) -> Frame:
        """The items of the only trial."""
        return self.trial.items

    @property
    def responses(self) -> Frame:
        """The responses of the only trial."""
        return self.trial.responses

    @property
    def scores(self) -> Frame:
        """The scores of the only trial."""
        return self.trial.scores

    @property
    def effects(self) -> Frame:
        """The effects of the only trial."""
        return self.trial.effects

    def labels(self, *sheets: str | os.PathLike[str]) -> LabelReport:
        """Return what the labels in sheets say about a measure of the only trial."""
        return self.trial.labels(*sheets)

    def _repr_html_(self) -> str:
        return "".join(each._repr_html_() for each in self.trials.values())

    def __repr__(self) -> str:
        """Return the verdict of each trial as text."""
        return "\n".join([f"run {self.run_id} in {self.folder}", *map(repr, self.trials.values())])


def load_run(path: str | os.PathLike[str]) -> Run:
    """Return a run with at least one finished trial.

    Parameters
    ----------
    path : path
        The folder of the run, such as ``experiments/run_mine``.

    Raises
    ------
    UsageError
        If it is not a folder of a run, or no trial is finished.
    PromptrialError
        If a record of it cannot be read, or results are not as they were left.
    """
    folder = Path(path)
    if not folder.is_dir() or not folder.name.startswith(_FOLDER):
        raise UsageError(f"{folder}: this is not the folder of a run", hint="give one such as experiments/run_mine")
    run_dir = RunDir(folder.parent, folder.name.removeprefix(_FOLDER))
    env = environment(os.environ, Path.cwd())
    found = read_run(run_dir, env, Invocation(env, SystemClock(), lambda _text: None))
    done = [trial for trial in found.spec.trials if is_finished(found, trial)]
    if not done:
        raise UsageError(f"run {run_dir.run_id} is not finished", hint=wait_or_resume(run_dir))
    for trial in done:
        check_finished(found, trial)
    return Run(run_dir.run_id, folder, {trial.slug: TrialRun(found, trial) for trial in done})
