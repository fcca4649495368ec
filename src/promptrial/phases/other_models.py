"""Answers that name another model than the one that was asked: counted by arm, and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.model import ModelSpec, Trial
from promptrial.model.arms import ArmName
from promptrial.phases.spec import RunSpec
from promptrial.providers.http_outcomes import printable
from promptrial.providers.model_names import is_same_model

__all__ = ["OtherModels"]


@dataclass(slots=True)
class OtherModels:
    """What the answers of a trial name as their models.

    Parameters
    ----------
    asked : mapping
        The model of each arm whose answers are compared. Others are not: those that this process computes, and names of
        deployments, which say nothing of a model.
    named : Counter
        How many answers of an arm name a model, so far.
    """

    asked: Mapping[ArmName, ModelSpec]
    named: Counter[tuple[ArmName, str]] = field(default_factory=Counter)

    @classmethod
    def of(cls, spec: RunSpec, trial: Trial) -> OtherModels:
        """Return a count for the arms of a trial."""
        return cls({arm.name: arm.model for arm in trial.arms if _tells(spec, arm.model)})

    def count(self, arm: ArmName, named: str | None) -> None:
        """Count an answer of an arm by the model that it names, if it names one."""
        if named is not None and arm in self.asked:
            self.named[arm, named] += 1

    def count_all(self, arm: ArmName, named: Iterable[str | None]) -> None:
        """Count answers of an arm."""
        if arm in self.asked:
            self.named.update((arm, name) for name in named if name is not None)

    def warnings(self) -> Iterator[str]:
        """Yield a sentence, without its capital, for each arm and each other model that it names."""
        for (arm, named), number in sorted(self.named.items()):
            asked = self.asked[arm]
            if not is_same_model(named, asked.id):
                answers = "1 answer names" if number == 1 else f"{number:,} answers name"
                yield f"{answers} {printable(named, 80)} as the model in the {arm} arm, which asks {asked.shown_id}"


def _tells(spec: RunSpec, model: ModelSpec) -> bool:
    local: bool = registry.load("provider", model.adapter).local
    return not local and instance_of(spec.config.providers, model.provider).option("names") != "deployments"
