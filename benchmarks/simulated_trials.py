"""One simulated trial, answered by the emulator's oracle and scored by the program's own code; and the truth about it.

What is made of many of them is in ``calibration_oracle``. The oracle is asked directly: a test shows that its answers
are the same through the emulator's HTTP, and that the program makes the same statistics of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from promptrial import registry
from promptrial.datasets.base import DatasetFormat
from promptrial.datasets.clusters import cluster_id
from promptrial.documents.scorers import ROLES, with_role
from promptrial.model import Item, RequestId, ids
from promptrial.model.arms import PAIR
from promptrial.phases.prepared import encode_item
from promptrial.scoring.aggregate import summarize_replicates
from promptrial.scoring.base import Gold, ScoringSettings, load_scorers, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.panel import score_answer, worst_scores
from promptrial.stats.pairing import ScoreTable
from promptrial_emulator.responders.base import Answer, ChatRow
from promptrial_emulator.responders.oracle import ABSTENTION, OracleResponder
from promptrial_emulator.settings import EmulatorSettings

__all__ = [
    "MODEL",
    "TEMP",
    "Design",
    "Truth",
    "answers",
    "designs",
    "oracle_settings",
    "score_table",
    "truth",
    "write_questions",
]

SAMPLE: Final = Path(__file__).resolve().parent.parent / "data/sample"
MODEL: Final = "accounts/fireworks/models/small"
TEMP: Final = 0.0
ACCURACY: Final = 0.6
ABSTENTION_RATE: Final = 0.1


@dataclass(frozen=True)
class Design:
    """The items that a trial asks about, the format of each data set, and the replicates."""

    name: str
    items: tuple[Item, ...]
    formats: Mapping[str, str]
    replicates: int = 1

    @property
    def about(self) -> str:
        """Its size in words."""
        clusters = len({cluster_id(item) for item in self.items})
        replicated = f", {self.replicates} replicates" if self.replicates > 1 else ""
        return f"{len(self.items)} items in {clusters} clusters{replicated}"

    @property
    def gold(self) -> list[Gold]:
        """The items, ready to be scored against."""
        return [prepare_gold(item, self.formats[item.dataset], ScoringSettings()) for item in self.items]


@cache
def designs() -> dict[str, Design]:
    """Return the designs by name: the shipped questions, and made-up ones on passages of very different size."""
    closed, opened = _shipped("custom", "closed_book.jsonl"), _shipped("squad_v2", "open_book.json")
    squad = {"sample": "squad_v2"}
    made = [
        Design("closed", closed, {"sample": "custom"}),
        Design("open", opened, squad),
        Design("open x3", opened, squad, replicates=3),
        Design("uneven", tuple(_uneven()), squad),
    ]
    return {design.name: design for design in made}


def _shipped(format_name: str, file: str) -> tuple[Item, ...]:
    kind: DatasetFormat = registry.load("dataset format", format_name)
    return tuple(kind.read(SAMPLE / file, "sample"))


def _uneven() -> Iterator[Item]:
    """Yield questions on 60 passages, on each from 1 to 15 of them, every third without an answer."""
    for passage in range(60):
        for number in range(1 + passage % 15):
            answers = () if number % 3 == 2 else (f"answer {passage} {number}",)
            yield Item(
                id=f"{passage}-{number}", dataset="sample", question="?", answers=answers,
                context=f"passage {passage}", is_unanswerable=not answers,
            )  # fmt: skip


# --- answers and scores --------------------------------------------------------------------------------------------


def write_questions(design: Design, folder: Path) -> None:
    """Write the items where an oracle reads them."""
    for kind in ("open", "closed"):
        lines = (encode_item(item) + b"\n" for item in design.items if item.type == kind)
        (folder / f"{kind}_book.jsonl").write_bytes(b"".join(lines))


def oracle_settings(questions: Path, effect: float, seed: int) -> EmulatorSettings:
    """Return the oracle of one trial."""
    return EmulatorSettings(
        responder="oracle", questions=questions, accuracy=ACCURACY, abstention=ABSTENTION_RATE, effect=effect, seed=seed
    )


def answers(design: Design, settings: EmulatorSettings) -> Iterator[list[str]]:
    """Yield what the oracle answers, the replicates of an item together: first in the control, then in the treatment.

    Raises
    ------
    TypeError
        If it refuses a request.
    """
    requests = (
        RequestId(item.dataset, item.id, condition, repr(TEMP), sample, item.type)
        for condition in PAIR
        for item in design.items
        for sample in range(design.replicates)
    )
    rows = (ChatRow(ids.wire_encode(rid), [], {}) for rid in requests)
    texts = (_text(reply) for reply in OracleResponder(settings).replies(MODEL, rows))
    while found := list(islice(texts, design.replicates)):
        yield found


def _text(reply: object) -> str:
    if not isinstance(reply, Answer):
        raise TypeError(f"the oracle refused a request: {reply}")
    return reply.choices[0].text or ""


def score_table(design: Design, texts: Iterator[list[str]]) -> ScoreTable:
    """Score the answers and lay them out as the statistics take them."""
    scorers, gold = load_scorers(), design.gold
    rows = [
        summarize_replicates([score_answer(each, Response(text), scorers) for text in found], len(scorers))
        for each, found in zip(gold * len(PAIR), texts, strict=True)
    ]
    means, spreads = (np.array([getattr(row, name) for row in rows], dtype=np.float64) for name in ("means", "stds"))
    worst = np.array([worst_scores(item, scorers) for item in design.items])
    dataset_names, dataset = _codes([item.dataset for item in design.items])
    _, cluster = _codes([cluster_id(item) for item in design.items])
    declared = {name: scorer.declared for name, scorer in scorers.items()}
    n, arms = len(design.items), len(PAIR)
    return ScoreTable(
        item_keys=[ids.item_key(item.dataset, item.id) for item in design.items],
        dataset_names=dataset_names,
        type_names=("open", "closed"),
        item=np.tile(np.arange(n), arms),
        dataset=np.tile(dataset, arms),
        cluster=np.tile(cluster, arms),
        type=np.tile([int(item.type == "closed") for item in design.items], arms),
        arm=np.repeat(np.arange(arms), n),
        temp=np.full(arms * n, TEMP),
        n_samples=np.array([row.n_samples for row in rows]),
        metrics={name: means[:, column] for column, name in enumerate(scorers)},
        deviations={name: spreads[:, column] for column, name in enumerate(scorers)},
        planned_samples={(arm, TEMP): design.replicates for arm in range(arms)},
        worst={name: worst[:, column] for column, name in enumerate(scorers)},
        roles={role: name for role in ROLES if (name := with_role(declared, role)) is not None},
        unanswerable=np.array([item.is_unanswerable for item in design.items]),
    )


def _codes(names: list[str]) -> tuple[list[str], list[int]]:
    """Return the distinct names in the order in which they come, as the program has them, and the place of each."""
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return [*places], [places[name] for name in names]


# --- the truth -----------------------------------------------------------------------------------------------------


class Truth(NamedTuple):
    """What a metric comes to on the average over all that the oracle may answer: in the control, and the difference."""

    control: float
    difference: float


def truth(design: Design, effect: float) -> dict[str, Truth]:
    """Return the true values by metric, over the items that the metric applies to."""
    control, treatment = (
        np.array([_expected(gold, accuracy) for gold in design.gold]) for accuracy in (ACCURACY, ACCURACY + effect)
    )
    found = {}
    for column, name in enumerate(load_scorers()):
        applies = ~np.isnan(control[:, column])
        if applies.any():
            means = [float(arm[applies, column].mean()) for arm in (control, treatment)]
            found[name] = Truth(means[0], means[1] - means[0])
    return found


def _expected(gold: Gold, accuracy: float) -> npt.NDArray[np.float64]:
    """Return the expected score of an item by each scorer; NaN where the scorer does not apply."""
    scorers = load_scorers()
    weighted = [
        share * np.array(score_answer(gold, Response(text), scorers)) for text, share in _outcomes(gold.item, accuracy)
    ]
    total: npt.NDArray[np.float64] = np.sum(weighted, axis=0)
    return total


def _outcomes(item: Item, accuracy: float) -> Iterator[tuple[str, float]]:
    """Yield what the oracle may say and how probable it is; all its wrong answers score alike."""
    if item.is_unanswerable:
        yield from ((ABSTENTION, accuracy), ("wrong0", 1 - accuracy))
        return
    yield from ((answer, accuracy / len(item.answers)) for answer in item.answers)
    yield from ((ABSTENTION, ABSTENTION_RATE), ("wrong0", 1 - accuracy - ABSTENTION_RATE))
