"""The judges of a run: which scorers are judged by a model, by which one, and what each is asked with. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptrial import registry
from promptrial.config.typed import typed
from promptrial.design.trials import asked_of
from promptrial.model import ModelSpec, Sampling
from promptrial.model.arms import ArmName, judge_name
from promptrial.phases.scorers import make_extracts
from promptrial.phases.spec import RunSpec
from promptrial.providers.request_rules import DEFAULT_TOP_K
from promptrial.store.rundir import digest_of

if TYPE_CHECKING:
    from promptrial.scoring.extracts import Extract
    from promptrial.scoring.types.judge import JudgeSettings

__all__ = ["RunJudge", "judges_of"]

_ASKS_NOTHING = frozenset({"label", "direction", "model"})
"""Settings that change no request: the model is in the digest as what it is, not by its alias."""


@dataclass(frozen=True, slots=True)
class RunJudge:
    """A scorer that is a judge.

    Attributes
    ----------
    scorer : str
    settings : JudgeSettings
    model : ModelSpec
    digest : str
        Of all that each request depends on besides the item and its answers: rubric, settings and model (hex).
    extract : Extract or None
        Which part of an answer is judged.
    seed : int
        The run's.
    """

    scorer: str
    settings: JudgeSettings
    model: ModelSpec
    digest: str
    extract: Extract | None
    seed: int

    @property
    def name(self) -> ArmName:
        """What its parts have in place of an arm."""
        return judge_name(self.scorer, self.digest)

    @property
    def longest(self) -> int:
        """The most tokens that a reply is paid for, thinking included."""
        return self.settings.max_tokens + (self.model.options.thinking_budget or 0)

    @property
    def sampling(self) -> Sampling:
        """How it is asked."""
        return Sampling(
            temperature=self.settings.temperature,
            top_p=1.0,
            top_k=DEFAULT_TOP_K,
            max_tokens=self.settings.max_tokens,
            stop=(),
            seed=self.seed,
        )


def judges_of(spec: RunSpec) -> Mapping[str, RunJudge]:
    """Return the judges of a run by the names of their scorers, in order."""
    extracts = make_extracts(spec.config)
    models = {model.alias: model for trial in spec.trials for model in trial.judges}
    found = {}
    for name, entry in spec.config.scorers_in_use.items():
        if entry.kind not in registry.JUDGES:
            continue
        kind: type[JudgeSettings] = registry.load("scorer", entry.kind)
        settings = typed(kind, entry.with_text)
        asked = {key: value for key, value in entry.with_text.items() if key not in _ASKS_NOTHING}
        model = models[settings.model]
        digest = digest_of([entry.kind, settings.declared.version, asked, asked_of(model), spec.config.seed])
        found[name] = RunJudge(name, settings, model, digest, extracts.get(name), spec.config.seed)
    return found
