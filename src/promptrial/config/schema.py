"""The shape of the configuration: every key, its default, its allowed values. Reading files is ``config.loading``."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from promptrial import ids, registry
from promptrial.model import CONDITIONS, Condition

__all__ = [
    "DatasetConfig",
    "ExperimentConfig",
    "HubConfig",
    "MaxNewTokens",
    "ModelConfig",
    "PriceConfig",
    "PromptConfig",
    "PromptSetConfig",
    "ProviderPricing",
    "ScoringConfig",
    "StatsConfig",
    "SweepConfig",
    "TrialConfig",
    "UnsupportedConfig",
]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Temperature = Annotated[float, Field(ge=0, le=2, multiple_of=0.001)]
TopP = Annotated[float, Field(gt=0, le=1)]
TopK = Annotated[int, Field(ge=1)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class ModelConfig(_Strict):
    """A model under its alias (the key in ``models``)."""

    id: str = Field(description="the provider's name of the model")
    provider: str | None = Field(None, description="where it is served; the top-level `provider` if not given")
    path: str | None = Field(None, description="embedded engine: a GGUF file to use instead of the packaged model")

    @field_validator("provider")
    @classmethod
    def _known_provider(cls, value: str | None) -> str | None:
        return value if value is None else _registered("provider", value)


class PromptConfig(_Strict):
    """A prompt file; once read, its text and digest stand beside the path."""

    path: str
    sha256: str = ""
    text: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    def with_text(self, text: str) -> Self:
        """Return the prompt with its text, less the newlines at its end, and the text's SHA-256."""
        text = text.rstrip("\n")
        return self.model_copy(update={"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()})


class PromptSetConfig(_Strict):
    """A control and a treatment prompt."""

    control: PromptConfig
    treatment: PromptConfig


class TaskInstructions(_Strict):
    """The user-message templates that both arms share; ``{question}`` and ``{context}`` are filled in."""

    open_book: PromptConfig
    closed_book: PromptConfig


class HubConfig(_Strict):
    """A dataset on the hub, read as Parquet."""

    repo: str = Field(description="for example rajpurkar/squad_v2")
    config: str | None = Field(None, description="the repository's configuration, where it has several")
    split: str = "validation"
    revision: str | None = Field(None, description="commit or branch; main if null. The run keeps to the commit")


class DatasetConfig(_Strict):
    """A question set under its name (the key in ``datasets``)."""

    format: str
    path: str | None = Field(None, description="a local file, relative to this configuration file")
    hub: HubConfig | None = None
    size: Positive | None = Field(None, description="how many items to sample; all of them if null")

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        return _registered("dataset format", value)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give exactly one of `path` and `hub`")
        return self


class MaxNewTokens(_Strict):
    """The most tokens that an answer may have."""

    open_book: Positive = 64
    closed_book: Positive = 64


class PriceConfig(_Strict):
    """USD per million tokens, before the batch discount."""

    input_per_million: float = Field(ge=0)
    output_per_million: float = Field(ge=0)


class ProviderPricing(_Strict):
    """Prices of one provider; ``models`` is keyed by alias or by the provider's id."""

    batch_discount: Share = Field(0.0, description="share taken off batch requests: 0.5 is half price")
    models: dict[str, PriceConfig] = {}


class StatsConfig(_Strict):
    """How effects are tested."""

    alpha: OpenShare = 0.05
    confidence: OpenShare = 0.95
    primary: tuple[str, ...] = Field(("em",), description="confirmatory endpoints, Holm-corrected together")
    bootstrap_samples: Annotated[int, Field(ge=1000)] = 10_000
    permutation_samples: Annotated[int, Field(ge=999)] = 10_000
    random_seed: Annotated[int, Field(ge=0)] = 1337
    tost_margins: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="endpoint -> margin: adds an equivalence test for it"
    )

    @field_validator("primary", mode="after")
    @classmethod
    def _known_endpoints(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_registered("scorer", name) for name in value)

    @field_validator("tost_margins", mode="after")
    @classmethod
    def _known_margins(cls, value: dict[str, float]) -> dict[str, float]:
        return {_registered("scorer", name): margin for name, margin in value.items()}


class UnsupportedConfig(_Strict):
    """When an open-book answer counts as not supported by its passage."""

    strategy: Literal["exact", "overlap"] = "overlap"
    min_token_overlap: Share = Field(0.6, description="overlap: the least share of answer tokens found in the passage")


class ScoringConfig(_Strict):
    """How answers are scored."""

    extra_refusals: tuple[str, ...] = Field((), description="further answers that count as abstentions")
    unsupported: UnsupportedConfig = UnsupportedConfig()


class SweepConfig(_Strict):
    """The trials are every combination of these; null means all (models, prompt sets) or the top-level value."""

    models: tuple[str, ...] | None = None
    prompt_sets: tuple[str, ...] | None = None
    top_p: tuple[TopP, ...] | None = None
    top_k: tuple[TopK, ...] | None = None
    max_new_tokens: tuple[MaxNewTokens, ...] | None = None


class TrialConfig(_Strict):
    """One trial written out; what is not given has the top-level value."""

    model: str
    prompt_set: str
    temps: tuple[Temperature, ...] | None = None
    top_p: TopP | None = None
    top_k: TopK | None = None
    max_new_tokens: MaxNewTokens | None = None


class ExperimentConfig(_Strict):
    """The whole configuration of an experiment."""

    name: Name = Field("experiment", description="a word for reports")
    question: str = Field("", description="what the experiment asks, in one sentence, for the report")
    seed: Annotated[int, Field(ge=0)] = Field(20260101, description="of item sampling and of each request's sampling")
    provider: str = Field("embedded", description="where models are served unless they say otherwise")
    models: dict[Name, ModelConfig] = Field(min_length=1)
    prompt_sets: dict[Name, PromptSetConfig] = Field(min_length=1)
    task_instructions: TaskInstructions
    datasets: dict[str, DatasetConfig] = Field(min_length=1)
    conditions: tuple[Condition, ...] = CONDITIONS
    temps: tuple[Temperature, ...] = Field((0.0,), min_length=1)
    samples_per_item: Positive | dict[str, Positive] = Field(
        1, description="replicates of each item: one number, or one per temperature"
    )
    max_new_tokens: MaxNewTokens = MaxNewTokens()
    top_p: TopP = 1.0
    top_k: TopK = 50
    stop: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    limit_items: Positive | None = Field(None, description="at most so many items of each dataset, for a quick look")
    parts_per_dataset: Positive | None = Field(None, description="how many parts each arm is cut into")
    lines_per_part: Positive | None = Field(None, description="how many requests a part has at the most")
    pricing: dict[str, ProviderPricing] = {}
    scoring: ScoringConfig = ScoringConfig()
    stats: StatsConfig = StatsConfig()
    sweep: SweepConfig = SweepConfig()
    trials: tuple[TrialConfig, ...] | None = Field(None, description="explicit trials, instead of the sweep")

    @field_validator("provider")
    @classmethod
    def _known_provider(cls, value: str) -> str:
        return _registered("provider", value)

    @field_validator("datasets")
    @classmethod
    def _dataset_names(cls, value: dict[str, DatasetConfig]) -> dict[str, DatasetConfig]:
        for name in value:
            if not ids.DATASET_PATTERN.fullmatch(name):
                raise ValueError(f"dataset name {name!r}: allowed are lower-case letters, digits and _, at most 20")
        return value

    @field_validator("temps", "conditions", mode="after")
    @classmethod
    def _no_repeats(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a value stands twice")
        return value

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        wanted_models = [*(self.sweep.models or ()), *(trial.model for trial in self.trials or ())]
        wanted_sets = [*(self.sweep.prompt_sets or ()), *(trial.prompt_set for trial in self.trials or ())]
        for kind, wanted, known in (
            ("model", wanted_models, self.models),
            ("prompt set", wanted_sets, self.prompt_sets),
        ):
            for name in wanted:
                if name not in known:
                    raise ValueError(f"unknown {kind} {name!r}{registry.near_misses(name, known)}")
        if self.parts_per_dataset is not None and self.lines_per_part is not None:
            raise ValueError("give only one of `parts_per_dataset` and `lines_per_part`")
        return self

    def replicates(self, temp: float) -> int:
        """Return how many samples each item gets at a temperature."""
        if isinstance(self.samples_per_item, int):
            return self.samples_per_item
        by_temp = {float(key): count for key, count in self.samples_per_item.items()}
        return by_temp.get(temp, 1)


_TABLES = {"provider": registry.PROVIDERS, "dataset format": registry.DATASETS, "scorer": registry.SCORERS}


def _registered(kind: str, name: str) -> str:
    table = _TABLES[kind]
    if name not in table:
        raise ValueError(f"unknown {kind} {name!r}{registry.near_misses(name, table)}")
    return name
