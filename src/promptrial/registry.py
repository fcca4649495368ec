"""What can be named in a configuration: name -> ``module:attribute``, for each kind of thing.

Nothing here is imported until it is asked for, so the configuration can check every name at no cost. Adding a
provider, dataset format, scorer, statistic or phase is one new file and one line here; a hosted provider also has a
preset (``config/presets.py``).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final, Literal

from promptrial.errors import ConfigError

__all__ = [
    "DATASETS",
    "DEFAULT_PACK",
    "EXECUTORS",
    "EXECUTOR_LIBRARIES",
    "EXTRACTS",
    "JUDGES",
    "LAST_OF_PILOT",
    "PACK_CONTINUOUS",
    "PACK_PRIMARY",
    "PAIRWISE",
    "PART_STATES",
    "PHASES",
    "PHASE_WORK",
    "PROBES",
    "PROVIDERS",
    "RESULTS",
    "SCORERS",
    "STAGES",
    "STATISTICS",
    "STATISTIC_VERSIONS",
    "PartState",
    "load",
    "near_misses",
    "scorer_type",
]

PartState = Literal["submitted", "downloaded"]

PHASES: Final[Mapping[str, str]] = {
    "prepare": "promptrial.phases.prepare:PHASE",
    "build": "promptrial.phases.build:PHASE",
    "submit": "promptrial.phases.submit:PHASE",
    "poll": "promptrial.phases.poll:PHASE",
    "parse": "promptrial.phases.parse:PHASE",
    "score": "promptrial.phases.score:PHASE",
    "stats": "promptrial.phases.stats:PHASE",
    "costs": "promptrial.phases.costs:PHASE",
    "report": "promptrial.phases.report:PHASE",
}
"""The phases in the order in which they run."""

PHASE_WORK: Final[Mapping[str, str]] = {
    "prepare": "drawing questions",
    "build": "writing requests",
    "submit": "sending jobs",
    "poll": "collecting answers",
    "parse": "reading answers",
    "score": "scoring answers",
    "stats": "computing statistics",
    "costs": "adding up costs",
    "report": "writing reports",
}
"""What each phase does, for people who watch a run."""

LAST_OF_PILOT: Final = "costs"
"""The last phase of a pilot: those after it compute effects, or show them."""
STAGES: Final[Mapping[str, str]] = {
    "poll": "downloaded",
    "parse": "parsed",
    "score": "scored",
    "stats": "stats",
    "costs": "costs",
    "report": "report",
}
"""What a trial's manifest calls the phases that work on single trials; one that is not here, by its own name."""

PART_STATES: Final[Mapping[str, PartState]] = {"submit": "submitted", "poll": "downloaded"}
"""The phases that work part by part, and what a part is when they are done with it."""

PROVIDERS: Final[Mapping[str, str]] = {
    "embedded": "promptrial.providers.embedded:EmbeddedProvider",
    "fireworks": "promptrial.providers.fireworks:FireworksProvider",
    "openai": "promptrial.providers.openai:OpenAIProvider",
    "openai_compatible": "promptrial.providers.openai_compatible:OpenAICompatibleProvider",
    "anthropic": "promptrial.providers.anthropic:AnthropicProvider",
    "anthropic_live": "promptrial.providers.anthropic_live:AnthropicLiveProvider",
    "batch_file": "promptrial.providers.batch_file:BatchFileProvider",
}
"""Where answers come from."""

PROBES: Final[Mapping[str, str]] = {
    "fireworks": "promptrial.providers.fireworks_probe:FireworksProbe",
    "openai": "promptrial.providers.openai_probe:OpenAIProbe",
    "anthropic": "promptrial.providers.anthropic_probe:AnthropicProbe",
}
"""By adapter, what asks its vendors the questions that their documents leave open."""

DATASETS: Final[Mapping[str, str]] = {
    "squad_v2": "promptrial.datasets.squad_v2:FORMAT",
    "nq_open": "promptrial.datasets.nq_open:FORMAT",
    "triviaqa": "promptrial.datasets.triviaqa:FORMAT",
    "custom": "promptrial.datasets.custom:FORMAT",
    "arc": "promptrial.datasets.arc:FORMAT",
    "hellaswag": "promptrial.datasets.sentence_endings:HELLASWAG",
    "piqa": "promptrial.datasets.sentence_endings:PIQA",
    "winogrande": "promptrial.datasets.sentence_endings:WINOGRANDE",
    "truthfulqa": "promptrial.datasets.truthfulqa:FORMAT",
    "boolq": "promptrial.datasets.boolq:FORMAT",
    "gsm8k": "promptrial.datasets.gsm8k:FORMAT",
    "svamp": "promptrial.datasets.svamp:FORMAT",
    "drop": "promptrial.datasets.drop:FORMAT",
    "hotpotqa": "promptrial.datasets.hotpotqa:FORMAT",
    "coqa": "promptrial.datasets.coqa:FORMAT",
    "instructions": "promptrial.datasets.instructions:FORMAT",
    "inspect": "promptrial.datasets.inspect_samples:FORMAT",
    "promptfoo": "promptrial.datasets.promptfoo:FORMAT",
    "openai_chat": "promptrial.datasets.openai_chat:FORMAT",
    "deepeval": "promptrial.datasets.goldens:DEEPEVAL",
    "ragas": "promptrial.datasets.goldens:RAGAS",
    "lm_eval_samples": "promptrial.datasets.lm_eval_samples:FORMAT",
}
"""Formats of question files."""

SCORERS: Final[Mapping[str, str]] = {
    "exact_match": "promptrial.scoring.types.exact_match:ExactMatch",
    "token_f1": "promptrial.scoring.types.token_f1:TokenF1",
    "abstention": "promptrial.scoring.types.abstention:Abstention",
    "false_answer": "promptrial.scoring.types.false_answer:FalseAnswer",
    "unsupported": "promptrial.scoring.types.unsupported:Unsupported",
    "json_schema": "promptrial.scoring.types.json_schema:JsonSchema",
    "fuzzy": "promptrial.scoring.types.fuzzy:Fuzzy",
    "rouge_l": "promptrial.scoring.types.rouge_l:RougeL",
    "bleu": "promptrial.scoring.types.bleu:Bleu",
    "includes": "promptrial.scoring.types.includes:Includes",
    "starts_with": "promptrial.scoring.types.starts_with:StartsWith",
    "regex": "promptrial.scoring.types.regex:Regex",
    "choice": "promptrial.scoring.types.choice:Choice",
    "numeric": "promptrial.scoring.types.numeric:Numeric",
    "length": "promptrial.scoring.types.length:Length",
    "command": "promptrial.scoring.types.command:Command",
    "judge": "promptrial.scoring.types.judge:Judge",
    "pairwise_judge": "promptrial.scoring.types.pairwise_judge:PairwiseJudge",
}
"""What can be measured on an answer: the types of scorers."""

PAIRWISE: Final = "pairwise_judge"
"""The type of judge that compares the answer of an arm with that of the control, whose own score says nothing."""
JUDGES: Final = frozenset({"judge", PAIRWISE})
"""The types of scorers that ask a model how good an answer is: what they say is checked by people's labels."""

DEFAULT_PACK: Final[Mapping[str, str]] = {
    "em": "exact_match",
    "f1": "token_f1",
    "abstain_rate": "abstention",
    "false_answer_rate": "false_answer",
    "unsupported_rate": "unsupported",
}
"""What is measured unless `scorers` in the configuration says otherwise: column of ``per_item_scores`` -> type of
scorer. A column is another name of its type wherever a type or a scorer is named."""

PACK_PRIMARY: Final = ("em",)
"""The primary endpoint where `stats.primary` does not say. It is part of the digest of every such configuration: with
another one, finished runs would count as changed."""

PACK_CONTINUOUS: Final = ("f1",)
"""The scorers of the default pack whose scores are continuous, for statistics of scores that no scorer declares."""

EXTRACTS: Final[Mapping[str, str]] = {
    "after": "promptrial.scoring.extracts:After",
    "first_line": "promptrial.scoring.extracts:FirstLine",
    "last_line": "promptrial.scoring.extracts:LastLine",
    "fenced_block": "promptrial.scoring.extracts:FencedBlock",
    "json": "promptrial.scoring.extracts:JsonField",
    "regex": "promptrial.scoring.extracts:Pattern",
}
"""What of an answer can be scored: the steps of `extract`."""

STATISTICS: Final[Mapping[str, str]] = {
    "score": "promptrial.stats.score:STATISTIC",
    "mcnemar": "promptrial.stats.mcnemar:STATISTIC",
    "paired_difference": "promptrial.stats.paired_t:STATISTIC",
    "cr2": "promptrial.stats.cr2:STATISTIC",
    "bootstrap": "promptrial.stats.bootstrap:STATISTIC",
    "permutation": "promptrial.stats.permutation:STATISTIC",
    "wilcoxon": "promptrial.stats.wilcoxon:STATISTIC",
    "effect_size": "promptrial.stats.effect_size:STATISTIC",
    "tost": "promptrial.stats.tost:STATISTIC",
}
"""What is computed on the pairs of an endpoint."""

STATISTIC_VERSIONS: Final[Mapping[str, int]] = {}
"""The version of a statistic, if it is not 1. Raise it when its numbers change; finished runs then compute them again.
"""

RESULTS: Final[Mapping[str, str]] = {
    "inspect": "promptrial.comparison.elsewhere.formats.inspect_logs:FORMAT",
    "lm_eval": "promptrial.comparison.elsewhere.formats.lm_eval:FORMAT",
    "promptfoo": "promptrial.comparison.elsewhere.formats.promptfoo:FORMAT",
    "helm": "promptrial.comparison.elsewhere.formats.helm:FORMAT",
    "table": "promptrial.comparison.elsewhere.formats.tables:FORMAT",
}
"""Formats of results that other tools made, in the order in which they are tried; a table is whatever no other is."""

EXECUTORS: Final[Mapping[str, str]] = {
    "processes": "promptrial.runtime.workers:Processes",
    "ray": "promptrial.runtime.ray_workers:RayTasks",
}
"""Who parses and scores where more than one process does; the first is the default."""

EXECUTOR_LIBRARIES: Final[Mapping[str, Mapping[str, str]]] = {"ray": {"ray": "ray"}}
"""The libraries that an executor needs, imported name -> distribution; the extra that installs them has its name."""

_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "phase": PHASES,
    "provider": PROVIDERS,
    "probe": PROBES,
    "dataset format": DATASETS,
    "scorer": SCORERS,
    "extract step": EXTRACTS,
    "statistic": STATISTICS,
    "result format": RESULTS,
    "executor": EXECUTORS,
}


def load(kind: str, name: str) -> Any:  # noqa: ANN401 - each table has a type of its own, stated by its callers
    """Import and return what ``name`` stands for in the table of ``kind`` (``phase``, ``provider``, ...).

    Raises
    ------
    ConfigError
        If the name is not in the table; the message lists near misses and the known names.
    """
    table = _TABLES[kind]
    if name not in table:
        raise ConfigError(f"unknown {kind} {name!r}{near_misses(name, table)}")
    module, _, attribute = table[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def scorer_type(name: str) -> str:
    """Return the type of scorer that a name stands for: a column of the default pack is another name of its type.

    Examples
    --------
    >>> scorer_type("em"), scorer_type("numeric")
    ('exact_match', 'numeric')
    """
    return DEFAULT_PACK.get(name, name)


def near_misses(name: str, known: Mapping[str, object] | list[str]) -> str:
    """Return ``; did you mean 'x'? known: a, b`` for an error message."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    suggestion = f"; did you mean {close[0]!r}?" if close else ""
    return f"{suggestion}; known: {', '.join(known)}"
