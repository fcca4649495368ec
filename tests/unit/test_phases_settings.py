"""What a configuration says of statistics and of the queue reaches them whole, and each default stands once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import MISSING, asdict, fields
from typing import Any

import pytest

from promptrial import registry
from promptrial.config.execution import ExecutionConfig
from promptrial.config.schema import UnsupportedConfig
from promptrial.config.stats import StatsConfig
from promptrial.documents.significance import StatsSettings
from promptrial.engine.opening import RunRequest, open_run
from promptrial.engine.session import spec_of
from promptrial.errors import ConfigError
from promptrial.jobs.settings import QueueSettings
from promptrial.phases.settings import queue_settings, stats_settings
from promptrial.phases.spec import RunSpec
from promptrial.phases.stats import PHASE as STATS_PHASE
from promptrial.scoring.base import load_scorers
from promptrial.scoring.types.unsupported import Unsupported
from tests.support.project import Project

STATS: dict[str, Any] = {
    "alpha": 0.01,
    "confidence": 0.9,
    "primary": ["f1"],
    "bootstrap_samples": 2000,
    "permutation_samples": 3000,
    "random_seed": 7,
    "tost_margins": {"f1": 0.2},
    "missing": "failure",
    "trend": ["control", "treatment", "short"],
    "pooled": True,
}
PASSED_ON: tuple[str, ...] = ("trend", "pooled")
"""Keys that say what else is computed, and are no settings of how effects are tested."""
EXECUTION: dict[str, Any] = {
    "max_concurrent_jobs": 3,
    "workers": 4,
    "executor": "ray",
    "ray_address": "127.0.0.1:6379",
    "recheck_items": 6,
    "share_identical_arms": False,
    "max_attempts": 5,
    "poll_interval_s": 11.0,
    "longest_poll_interval_s": 77.0,
    "settle_s": 12.0,
    "quota_wait_s": 13.0,
    "first_retry_s": 1.5,
    "outage_s": 14.0,
    "job_deadline_s": 15.0,
}


def spec_of_project(project: Project, *, dry_run: bool = False, rebuy: bool = False) -> RunSpec:
    experiments = project.root / "experiments"
    request = RunRequest(experiments, "r", config=project.config, dry_run=dry_run, rebuy=rebuy)
    return spec_of(request, open_run(request, {}))


def plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_the_test_values_cover_all_keys_with_values_other_than_the_default() -> None:
    for kind, given in ((StatsConfig, STATS), (ExecutionConfig, EXECUTION)):
        assert {*given} == {*kind.model_fields}
        assert not [name for name, value in given.items() if plain(getattr(kind(), name)) == value]


def test_every_key_of_stats_reaches_the_statistics(project: Project) -> None:
    given = {name: value for name, value in STATS.items() if name not in PASSED_ON}
    project.write_config({"stats": given})
    settings = stats_settings(spec_of_project(project).config, {})
    assert {name: plain(getattr(settings, name)) for name in given} == given


def test_every_key_of_execution_and_the_permission_to_pay_again_reach_the_queue(project: Project) -> None:
    project.write_config({"execution": EXECUTION})
    settings = queue_settings(spec_of_project(project, rebuy=True))
    assert {name: getattr(settings, name) for name in EXECUTION} == EXECUTION
    assert settings.rebuy
    assert settings.backoff.first_s == 1.5
    assert settings.longest_wait_s == 77.0


def test_the_longest_wait_is_never_below_the_first() -> None:
    assert QueueSettings(poll_interval_s=90.0).longest_wait_s == 90.0


def test_a_dry_run_sets_all_waits_to_zero_and_keeps_other_settings(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:PaidProvider")
    project.write_config({"execution": EXECUTION})
    settings = queue_settings(spec_of_project(project, dry_run=True))
    waits = ("poll_interval_s", "longest_wait_s", "settle_s", "quota_wait_s", "first_retry_s")
    assert all(getattr(settings, name) <= 0.2 for name in waits)
    assert (settings.max_attempts, settings.max_concurrent_jobs, settings.job_deadline_s) == (5, 3, 15.0)


def test_each_default_of_stats_is_that_of_the_statistics() -> None:
    own = StatsConfig()
    for field in fields(StatsSettings):
        if field.name in StatsConfig.model_fields:
            default = field.default if field.default is not MISSING else {}
            assert getattr(own, field.name) == default


def test_the_first_scorer_of_the_default_pack_is_the_primary_endpoint_by_default() -> None:
    assert StatsSettings().primary == (next(iter(registry.DEFAULT_PACK)),)


def test_a_setting_of_the_queue_that_is_out_of_range_is_refused_where_it_is_made() -> None:
    with pytest.raises(ValueError, match="max_attempts"):
        QueueSettings(max_attempts=0)


def test_the_scorer_of_unsupported_claims_has_the_defaults_of_its_section() -> None:
    assert asdict(Unsupported()) == UnsupportedConfig().model_dump()


def test_the_default_primary_endpoint_does_not_depend_on_the_order_of_the_registry() -> None:
    """It is part of the digest of every configuration that names none, so finished runs would count as changed."""
    assert registry.PACK_PRIMARY == ("em",)
    assert registry.PACK_CONTINUOUS == ("f1",)
    script = (
        "from promptrial import registry\n"
        "registry.DEFAULT_PACK = dict(reversed(registry.DEFAULT_PACK.items()))\n"
        "from promptrial.config.stats import StatsConfig\n"
        "from promptrial.documents.significance import StatsSettings\n"
        "print(StatsConfig().primary, StatsSettings().primary, StatsSettings().graded)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "('em',) ('em',) ('f1',)\n"


def test_the_default_pack_declares_what_the_constants_say_of_it() -> None:
    declared = {name: scorer.declared for name, scorer in load_scorers().items()}
    assert {*registry.PACK_PRIMARY} <= {*declared}
    assert tuple(name for name, each in declared.items() if each.scale == "continuous") == registry.PACK_CONTINUOUS


def test_the_criterion_of_costs_accepts_the_scorer_aliases_that_stats_accept(project: Project) -> None:
    project.write_config({"costs": {"criterion": {"scorer": "token_f1", "at_least": 0.5}}})
    other = spec_of_project(project)
    project.write_config({"costs": {"criterion": {"scorer": "f1", "at_least": 0.5}}})
    own = spec_of_project(project)
    assert other.config.costs == own.config.costs
    assert other.config_hash == own.config_hash
    project.write_config({"costs": {"criterion": {"scorer": "token_f2", "at_least": 0.5}}})
    with pytest.raises(ConfigError, match=r"costs\.criterion\.scorer: unknown scorer 'token_f2'"):
        spec_of_project(project)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stats": {"pooled": True}}, {"several data sets": "estimated variances"}),
        ({"stats": {"trend": ["control", "low", "high"]}}, {"trend of scores": "with cautions"}),
        ({"subgroups": ["topic"]}, {"clusters in several subgroups": "count once"}),
    ],
)
def test_receipts_of_statistics_record_declared_rules_that_change_the_computation(
    project: Project, given: dict[str, Any], said: dict[str, str]
) -> None:
    arms = {"control": "control.txt", "treatments": {"low": "treatment.txt", "high": "other.txt"}}
    project.write_config({**given, "prompt_sets": {"main": arms}})
    spec = spec_of_project(project)
    found = STATS_PHASE.settings(spec, {}, spec.trials[0])
    assert found == {**spec.config.stats.model_dump(mode="json"), "several arms": "max-T", **said}


def test_receipts_of_statistics_omit_undeclared_values(project: Project) -> None:
    spec = spec_of_project(project)
    assert STATS_PHASE.settings(spec, {}, spec.trials[0]) == spec.config.stats.model_dump(mode="json")
