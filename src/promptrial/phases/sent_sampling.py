"""What adapters say about decoding parameters: which are refused, and which are not sent. No call is made here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.config.schema import ExperimentConfig
from promptrial.design.prompts import samplings_of
from promptrial.errors import PromptrialError
from promptrial.model import ModelSpec, Trial
from promptrial.providers.capabilities import ChecksSampling

__all__ = ["SamplingNote", "sampling_notes", "unsent_in"]


@dataclass(frozen=True, slots=True)
class SamplingNote:
    """What is said about a model: why its parameters are refused, or else which are not sent."""

    model: ModelSpec
    text: str
    refused: bool = False


def sampling_notes(config: ExperimentConfig, trial: Trial) -> Iterator[SamplingNote]:
    """Yield what adapters say about the decoding parameters of each model of a trial."""
    for model in trial.models:
        instance = instance_of(config.providers, model.provider)
        kind = registry.load("provider", instance.adapter)
        for sampling in samplings_of(trial) if isinstance(kind, ChecksSampling) else ():
            try:
                said = kind.check_sampling(model, sampling, instance)
            except PromptrialError as error:
                yield SamplingNote(model, str(error), refused=True)
            else:
                if said is not None:
                    yield SamplingNote(model, said)


def unsent_in(config: ExperimentConfig, trial: Trial) -> tuple[str, ...]:
    """Return what is not sent in a trial, one sentence each, with the model's alias where there are several."""
    several = len(trial.models) > 1
    said = (note for note in sampling_notes(config, trial) if not note.refused)
    return tuple(dict.fromkeys(f"{note.model.alias}: {note.text}" if several else note.text for note in said))
