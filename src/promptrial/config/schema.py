"""The shape of the configuration: every key, its default, its allowed values. Reading files is ``config.loading``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from promptrial import registry
from promptrial.config.arms import PromptSetConfig, TaskInstructions
from promptrial.config.costs import CostsConfig
from promptrial.config.datasets import DatasetConfig, DatasetName, too_long
from promptrial.config.execution import ExecutionConfig, PathsConfig
from promptrial.config.instances import address_needed, known_instances
from promptrial.config.labels import LabelsConfig, listed_sheets
from promptrial.config.models import ModelConfig, ProviderName
from promptrial.config.pricing import ProviderPricing
from promptrial.config.providers import ProviderConfig
from promptrial.config.sampling import (
    Axis,
    MaxNewTokens,
    Replicates,
    SweepConfig,
    Temperatures,
    TopK,
    TopP,
    TrialConfig,
)
from promptrial.config.scorers import ScorerConfig, column_of, named_types, settings_problems
from promptrial.config.spending import SpendingConfig
from promptrial.config.stats import StatsConfig
from promptrial.config.stopping import StoppingConfig
from promptrial.config.strict import Name, Natural, Positive, Share, Strict, Words, no_repeats
from promptrial.config.typed import SettingsError
from promptrial.model import ids
from promptrial.model.arms import SECOND_ASK, ArmName

__all__ = [
    "ExperimentConfig",
    "ScoringConfig",
    "UnsupportedConfig",
]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError(f"{value!r} contains an invisible character")
    return value


ColumnName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]


class UnsupportedConfig(Strict):
    """When an open-book answer counts as not supported by its passage."""

    strategy: Literal["exact", "overlap"] = "overlap"
    min_token_overlap: Share = Field(0.6, description="overlap: minimum share of answer tokens found in the passage")


class ScoringConfig(Strict):
    """How answers are scored."""

    extra_refusals: tuple[Words, ...] = Field((), description="additional answers that count as abstentions")
    unsupported: UnsupportedConfig = UnsupportedConfig.model_construct()


class ExperimentConfig(Strict):
    """The whole configuration of an experiment."""

    unrecorded_defaults: ClassVar[frozenset[str]] = frozenset(
        {"aa", "costs", "providers", "scorers", "stopping", "subgroups", "unscorable"}
    )
    only_rescores: ClassVar[tuple[str, ...]] = ("scorers", "costs", "unscorable", "subgroups")
    """Keys that ask nothing: when they change, the answers that there are are scored again, and that is no drift."""

    name: Name = Field("experiment", description="the experiment's name in reports")
    question: str = Field("", description="what the experiment asks, in one sentence, for the report")
    seed: Natural = Field(20260101, description="determines which items are sampled, and the seed of each request")
    provider: ProviderName = Field("embedded", description="the provider of the models; a model may name another one")
    providers: dict[Name, ProviderConfig] = Field(
        {}, description="servers under names of your own; known vendors need no entry"
    )
    models: dict[Name, ModelConfig] = Field(min_length=1, description="the models, each under a short name of your own")
    prompt_sets: dict[Name, PromptSetConfig] = Field(
        min_length=1, description="the arms that are compared: system prompts, as files or as text"
    )
    task_instructions: TaskInstructions = Field(
        TaskInstructions.model_construct(),
        description="the user message for each kind of question; an arm may have its own",
    )
    datasets: dict[DatasetName, DatasetConfig] = Field(min_length=1, description="the data sets")
    conditions: Axis[ArmName] | None = Field(None, description="the arms to run, all of them if null")
    aa: bool = Field(
        False,
        description="an A/A run: instead of the treatments, everything that the control asks is asked once more, as "
        f"the arm `{SECOND_ASK}`",
    )
    temps: Temperatures = Field((0.0,), description="sampling temperatures; every item is asked at each")
    samples_per_item: Replicates = Field(1, description="replicates of each item: one number, or one per temperature")
    max_new_tokens: MaxNewTokens = Field(
        MaxNewTokens.model_construct(), description="maximum number of tokens in an answer, by type of question"
    )
    top_p: TopP = Field(1.0, description="nucleus sampling: the probability mass that is kept")
    top_k: TopK = Field(50, description="number of most likely tokens to sample from")
    stop: Annotated[tuple[Words, ...], Field(max_length=4)] = Field((), description="texts at which an answer stops")
    limit_items: Positive | None = Field(
        None, description="use at most this many items of each data set, for a quick test"
    )
    parts_per_dataset: Positive | None = Field(None, description="number of parts of each arm")
    lines_per_part: Positive | None = Field(None, description="maximum number of requests in a part")
    paths: PathsConfig = Field(PathsConfig.model_construct(), description="folders of runs, archives and downloads")
    execution: ExecutionConfig = Field(
        ExecutionConfig.model_construct(), description="how requests are sent; not part of the experiment"
    )
    spending: SpendingConfig = Field(
        SpendingConfig.model_construct(), description="what a run may spend; not part of the experiment"
    )
    pricing: dict[ProviderName, ProviderPricing] = Field(
        {}, description="prices in USD, by provider; they override the price list of vendors"
    )
    scoring: ScoringConfig = Field(ScoringConfig.model_construct(), description="how answers are scored")
    scorers: Annotated[dict[str, ScorerConfig], Field(min_length=1), BeforeValidator(named_types)] | None = Field(
        None, description="the active scorers, each under the name of its column; the default pack if null"
    )
    unscorable: Literal["refuse", "skip"] = Field(
        "refuse",
        description="questions without the gold answer or the choices that a scorer needs: `refuse` the run before any "
        "request is sent, or `skip` them in that scorer",
    )
    subgroups: Annotated[tuple[ColumnName, ...], AfterValidator(no_repeats), BeforeValidator(_listed)] = Field(
        (),
        description="columns of the questions that define subgroups, for which effects are reported too; at most 20 "
        "values each",
    )
    costs: CostsConfig = Field(
        CostsConfig.model_construct(), description="which answers count as good in the cost per good answer"
    )
    stats: StatsConfig = Field(StatsConfig.model_construct(), description="endpoints, levels, margins and resampling")
    stopping: StoppingConfig = Field(
        StoppingConfig.model_construct(), description="looks at the running trial, after which it may stop"
    )
    labels: Annotated[tuple[LabelsConfig, ...], BeforeValidator(listed_sheets)] = Field(
        (),
        description="sheets of `promptrial label` with people's labels: a path, or a list; not part of the experiment",
    )
    sweep: SweepConfig = Field(
        SweepConfig.model_construct(), description="the trials: every combination of these lists"
    )
    trials: Annotated[tuple[TrialConfig, ...], Field(min_length=1)] | None = Field(
        None, description="explicit trials, instead of the sweep"
    )

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        known: dict[str, Mapping[str, object]] = {"model": self.models, "prompt set": self.prompt_sets}
        for axis, kind, names in (
            ("models", "model", self.sweep.models),
            ("prompt_sets", "prompt set", self.sweep.prompt_sets),
        ):
            for index, name in enumerate(names or ()):
                _check_known(("sweep", axis, index), kind, name, known[kind])
        for index, trial in enumerate(self.trials or ()):
            _check_known(("trials", index, "model"), "model", trial.model, known["model"])
            _check_known(("trials", index, "prompt_set"), "prompt set", trial.prompt_set, known["prompt set"])
        return self

    @model_validator(mode="after")
    def _providers_exist(self) -> Self:
        known = known_instances(self.providers)
        named: dict[tuple[str | int, ...], str] = {
            ("models", alias, "provider"): model.provider for alias, model in self.models.items() if model.provider
        }
        for at, name in ({("provider",): self.provider} | named).items():
            _check_known(at, "provider", name, known)
            if example := address_needed(self.providers, name):
                raise _wrong(at, f"{name} needs an entry in `providers` with its `base_url`, such as {example}")
        for name in self.pricing:
            _check_known(("pricing", name), "provider", name, known)
        return self

    @model_validator(mode="after")
    def _control_twice(self) -> Self:
        """Return an A/A run with two arms in each prompt set; what names other arms has no meaning in it."""
        if not self.aa:
            return self
        sets = {name: each.against_itself() for name, each in self.prompt_sets.items()}
        stats = self.stats.model_copy(update={"trend": ()}) if self.stats.trend else self.stats
        return self.model_copy(update={"prompt_sets": sets, "conditions": None, "stats": stats})

    @model_validator(mode="after")
    def _arms_fit(self) -> Self:
        names = dict.fromkeys(arm for prompt_set in self.prompt_sets.values() for arm in prompt_set.arms)
        for index, name in enumerate(self.conditions or ()):
            _check_known(("conditions", index), "arm", name, names)
        for index, name in enumerate(self.stats.trend):
            _check_known(("stats", "trend", index), "arm", name, names)
        if not any({*self.stats.trend} <= {*prompt_set.arms} for prompt_set in self.prompt_sets.values()):
            raise _wrong(("stats", "trend"), f"no prompt set has all of the arms {', '.join(self.stats.trend)}")
        for set_name, prompt_set in self.prompt_sets.items():
            for name, arm in prompt_set.arms.items():
                if arm.model is not None:
                    at = ("prompt_sets", set_name, *prompt_set.place(name), "model")
                    _check_known(at, "model", arm.model, self.models)
        longest = ids.longest_dataset(names)
        for name in self.datasets:
            if ids.escaped_length(name) > longest:
                raise _wrong(("datasets", name), too_long(name, longest))
        return self

    @model_validator(mode="after")
    def _scorers_exist(self) -> Self:
        for at, problem in settings_problems(self.scorers or {}):
            raise _wrong(("scorers", *at), problem)
        return self

    @model_validator(mode="after")
    def _scorers_by_name(self) -> Self:
        """Return the configuration with `stats` and `costs` calling scorers by their columns; all names must exist."""
        types = {name: entry.type for name, entry in self.scorers_in_use.items()} | self._types_that_may_run()
        changed: dict[str, object] = {}
        primary = self._primary(types)
        stats = {"primary": primary, "tost_margins": self._margins(types)}
        if renamed := {name: value for name, value in stats.items() if value != getattr(self.stats, name)}:
            changed["stats"] = self.stats.model_copy(update=renamed)
        if (endpoint := self.stopping.endpoint) is not None:
            name = _column(("stopping", "endpoint"), endpoint, types)
            if name not in primary:
                problem = f"{endpoint} is not a primary endpoint (stats.primary: {', '.join(primary)})"
                raise _wrong(("stopping", "endpoint"), problem)
            if name != endpoint:
                changed["stopping"] = self.stopping.model_copy(update={"endpoint": name})
        if (criterion := self.costs.criterion) is not None:
            name = _column(("costs", "criterion", "scorer"), criterion.scorer, types)
            if name != criterion.scorer:
                criterion = criterion.model_copy(update={"scorer": name})
                changed["costs"] = self.costs.model_copy(update={"criterion": criterion})
        return self.model_copy(update=changed) if changed else self

    @model_validator(mode="after")
    def _judges_fit(self) -> Self:
        for name, alias in self.judge_models.items():
            _check_known(("scorers", name, "model"), "model", alias, self.models)
        if self.stopping.on and self.stopping_endpoint in self.judge_models:
            problem = f"{self.stopping_endpoint} is a judge's score, which is not known when a look is taken"
            raise _wrong(("stopping", "endpoint"), f"{problem}; name another primary endpoint")
        return self

    def _types_that_may_run(self) -> dict[str, str]:
        """Return the types that may be named though they do not run yet: all, where scorers are fitted to questions."""
        is_open = self.scorers is None and all(dataset.format is None for dataset in self.datasets.values())
        return (
            {name: name for name in registry.SCORERS if name not in registry.DEFAULT_PACK.values()} if is_open else {}
        )

    def _primary(self, types: Mapping[str, str]) -> tuple[str, ...]:
        """Return the primary endpoints: those given, else the default pack's where it runs, else the first scorer."""
        primary = self.stats.primary
        if "primary" not in self.stats.model_fields_set:
            return primary if types.keys() >= {*primary} else (next(iter(types)),)
        named = [_column(("stats", "primary", index), name, types) for index, name in enumerate(primary)]
        return tuple(dict.fromkeys(named))

    def _margins(self, types: Mapping[str, str]) -> dict[str, float]:
        margins = self.stats.tost_margins
        return {_column(("stats", "tost_margins", name), name, types): margin for name, margin in margins.items()}

    @property
    def scorers_in_use(self) -> dict[str, ScorerConfig]:
        """The scorers that run, by the name of their column, in order."""
        return self.scorers or {name: ScorerConfig(type=name) for name in registry.DEFAULT_PACK}

    @property
    def judge_models(self) -> dict[str, str]:
        """The alias of the model of each scorer that is a judge, by the scorer's name."""
        entries = self.scorers_in_use.items()
        return {name: str(entry.settings.get("model")) for name, entry in entries if entry.kind in registry.JUDGES}

    @property
    def models_asked_by_default(self) -> tuple[str, ...]:
        """The models that answer where nothing names them: all but those that judge, unless these are all."""
        judges = {*self.judge_models.values()}
        return tuple(alias for alias in self.models if alias not in judges) or tuple(self.models)

    @property
    def stopping_endpoint(self) -> str:
        """The primary endpoint that decides whether a trial stops early."""
        return self.stopping.endpoint or self.stats.primary[0]

    @model_validator(mode="after")
    def _one_way_to_cut(self) -> Self:
        if self.parts_per_dataset is not None and self.lines_per_part is not None:
            raise _wrong(("lines_per_part",), "give only one of `parts_per_dataset` and `lines_per_part`")
        return self

    @model_validator(mode="after")
    def _prices_of_models(self) -> Self:
        known = dict.fromkeys([*self.models, *(model.id for model in self.models.values())])
        for provider, terms in self.pricing.items():
            for name in terms.models:
                if name not in known:
                    close = difflib.get_close_matches(name, known, n=1)
                    meant = f"; did you mean {close[0]!r}?" if close else ""
                    problem = (
                        f"{name!r} is neither an alias nor an id in `models`{meant}; aliases: {', '.join(self.models)}"
                    )
                    raise _wrong(("pricing", provider, "models", name), problem)
        return self

    @model_validator(mode="after")
    def _replicates_of_temps(self, info: ValidationInfo) -> Self:
        if isinstance(self.samples_per_item, int) or (info.context or {}).get("temps_from_flags"):
            return self
        known = [repr(temp) for temp in self.all_temps()]
        for key in self.samples_per_item:
            if float(key) not in self.all_temps():
                problem = f"{key!r} is not one of the temperatures{registry.near_misses(key, known)}"
                raise _wrong(("samples_per_item", key), problem)
        return self

    def all_temps(self) -> tuple[float, ...]:
        """Return every temperature that is given, here or by a trial that is written out."""
        return tuple(dict.fromkeys([*self.temps, *(temp for trial in self.trials or () for temp in trial.temps or ())]))

    def replicates(self, temp: float) -> int:
        """Return how many samples each item gets at a temperature."""
        if isinstance(self.samples_per_item, int):
            return self.samples_per_item
        by_temp = {float(key): count for key, count in self.samples_per_item.items()}
        return by_temp.get(temp, 1)


def _check_known(at: tuple[str | int, ...], kind: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise _wrong(at, f"unknown {kind} {name!r}{registry.near_misses(name, known)}")


def _column(at: tuple[str | int, ...], name: str, types: Mapping[str, str]) -> str:
    try:
        return column_of(name, types)
    except SettingsError as error:
        raise _wrong(at, error.problem) from None


def _wrong(at: tuple[str | int, ...], problem: str) -> PydanticCustomError:
    """Return an error of a rule about several keys that is reported at the key path ``at``."""
    return PydanticCustomError("wrong_together", "{problem}", {"problem": problem, "at": at})
