"""What a run will ask and cost at each point: before it exists, half way, grown, and with a prompt edited."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptrial.cli import figures
from promptrial.costs.bands import Band
from promptrial.costs.characters import size_of
from promptrial.costs.durations import BATCH_MEDIAN_S, BATCH_MOST_S
from promptrial.costs.reserve import OVERHEAD_TOKENS
from promptrial.costs.tokens import input_tokens
from promptrial.datasets import hub
from promptrial.design.plan import select_phases
from promptrial.documents import plan
from promptrial.engine.manifests import load_manifests
from promptrial.engine.opening import RunRequest
from promptrial.engine.previewing import Planned, preview
from promptrial.engine.session import Invocation, providers_of, services_of, spec_of
from promptrial.phases.drawn import drawn_now
from promptrial.phases.planned_parts import parts_to_build
from promptrial.phases.prepared import all_items
from promptrial.phases.quoted import Quote, Quoted, Requests
from promptrial.phases.work import shared_rows
from promptrial.runtime.clock import FakeClock
from tests.support import fake_provider
from tests.support.project import Project
from tests.support.schemas import validate

INVOCATION = Invocation(env={}, clock=FakeClock(), say=lambda _text: None)
ITEMS = 14


def planned(project: Project, trials: str | None = None, **overrides: Any) -> Planned:
    request = RunRequest(
        project.run_root().parent,
        "r",
        config=project.config,
        overrides={(key,): value for key, value in overrides.items()},
        plan_only=True,
        rebuild=True,
    )
    return preview(request, select_phases(None, None, None), INVOCATION, trials, quotes=True)


def quote_of(project: Project, **overrides: Any) -> Quote:
    found = planned(project, **overrides)
    assert found.quote is not None, found.unquoted
    return found.quote


def requests(found: Quote) -> list[tuple[str, Requests]]:
    return [(arm.arm, arm.requests) for arm in found.arms]


def two_trials(project: Project, **changes: Any) -> None:
    project.write_config({"sweep": {"prompt_sets": ["main", "other"]}, **changes})


def batch_files(project: Project, **changes: Any) -> None:
    """Let somebody else answer, in jobs, so that none is answered by itself."""
    price = {"files": {"models": {"m1": {"input_per_million": 1.0, "output_per_million": 2.0}}}}
    providers = {"files": {"type": "batch_file"}}
    project.write_config({"provider": "files", "providers": providers, "pricing": price, **changes})


def test_a_quote_before_the_run_exists_equals_that_after_build(project: Project) -> None:
    two_trials(project)
    before = quote_of(project)
    assert before.items == ITEMS
    assert before.requests == Requests(new=3 * ITEMS, shared=ITEMS)
    assert not (project.root / "experiments").exists()
    for step in ("prepare", "build"):
        assert project.run("--to_step", step).code == 0
        assert quote_of(project) == before


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temps": [0.0, 0.7], "samples_per_item": {0.0: 1, 0.7: 3}, "stop": ["\n", "é"]},
        {"lines_per_part": 3, "parts_per_dataset": None},
        {"limit_items": 2, "seed": 5},
    ],
)
def test_planned_parts_have_the_sizes_and_sharing_that_build_writes(project: Project, changes: dict[str, Any]) -> None:
    two_trials(project, **changes)
    check_parts(project)


def test_planned_parts_respect_the_limits_of_the_provider(project: Project) -> None:
    batch_files(project, providers={"files": {"type": "batch_file", "max_rows": 4, "max_bytes": 1500}})
    check_parts(project)


def check_parts(project: Project) -> None:
    """Compare the parts that would be written, and what they share, with those that *build* writes."""
    before = quote_of(project)
    opened = planned(project).opened
    spec = spec_of(RunRequest(project.run_root().parent, "r"), opened)
    services = services_of(opened, {}, INVOCATION, providers_of(opened, {}))
    load_manifests(spec, services, read_only=True)
    items = drawn_now(spec, services).items
    parts = parts_to_build(spec, services, items)
    assert project.run("--to_step", "build").code == 0
    assert items == list(all_items(spec.run))
    built = json.loads((spec.run.batch_inputs / "manifest.json").read_bytes())
    sizes = {path: file["size"] for path, file in built["receipt"]["artifacts"].items()}
    assert {spec.run.relative(part.work.folder.requests(part.work.part.name)): part.size for part in parts} == sizes
    assert [part.work.part.name for part in parts] == [row["part"] for row in built["facts"]["parts"]]
    shared = dict.fromkeys(shared_rows(spec), 0)
    for arm in before.arms:
        shared[arm.trial] += arm.requests.shared
    assert shared == shared_rows(spec)


def test_answered_requests_of_complete_and_partial_parts_are_not_quoted_again(project: Project) -> None:
    sentinel = project.run_root() / "STOP_REQUESTED"
    fake_provider.BEFORE_ROW.append(lambda _: sentinel.touch() if fake_provider.CALLS.total() == 9 else None)
    whole = quote_of(project)
    assert project.run().code == 5
    fake_provider.BEFORE_ROW.clear()
    found = quote_of(project)
    assert found.requests == Requests(new=2 * ITEMS - 10, answered=10)
    assert 0 < whole_tokens(found) < whole_tokens(whole)
    assert project.run("--resume").code == 0
    assert quote_of(project).requests == Requests(answered=2 * ITEMS)
    assert project.call("plan", "--run_id", "r").prose.count("nothing is left to ask: 28 requests are answered") == 1


def whole_tokens(found: Quote) -> float:
    assert found.input_tokens is not None
    return found.input_tokens.expected


def test_the_rest_of_a_part_has_exactly_the_characters_of_its_unanswered_requests(project: Project) -> None:
    """Of a half answered part not a share is estimated but the requests that are left."""
    sentinel = project.run_root() / "STOP_REQUESTED"
    fake_provider.BEFORE_ROW.append(lambda _: sentinel.touch() if fake_provider.CALLS.total() == 2 else None)
    whole = quote_of(project).arms[0]
    assert project.run().code == 5
    asked = [row["body"]["messages"] for row in first_rows(project, 3)]
    left = quote_of(project).arms[0]
    assert left.requests.new == ITEMS - 3
    assert left.input_tokens is not None
    assert whole.input_tokens is not None
    gone = [input_tokens(size_of(message["content"] for message in each)).tokens for each in asked]
    total = sum((band.expected for band in gone), left.input_tokens.tokens.expected)
    assert total == pytest.approx(whole.input_tokens.tokens.expected)
    bytes_gone, price = sum(len(row) + 1 for row in first_lines(project, 3)), 1.0 / 1e6
    assert whole.reserve_usd is not None
    reserve = whole.reserve_usd - (bytes_gone + 3 * OVERHEAD_TOKENS) * price - 3 * 64 * 2 * price
    assert left.reserve_usd == pytest.approx(reserve)


def first_rows(project: Project, number: int) -> list[Any]:
    return [json.loads(line) for line in first_lines(project, number)]


def first_lines(project: Project, number: int) -> list[bytes]:
    file = next(project.run_root().glob("batch_inputs/*/t0_control_p001.jsonl"))
    return file.read_bytes().splitlines()[:number]


def test_a_growth_is_quoted_only_for_its_new_items(project: Project) -> None:
    assert project.run("--limit_items", "2").code == 0
    found = quote_of(project, limit_items=5)
    assert found.requests == Requests(new=2 * 6, answered=2 * 4)
    assert all(not arm.again for arm in found.arms)


def test_the_plan_quotes_only_the_arm_whose_prompt_was_edited(project: Project) -> None:
    assert project.run().code == 0
    (project.root / "config/treatment.txt").write_text("Be accurate, and brief.\n")
    found = quote_of(project)
    assert requests(found) == [("control", Requests(answered=ITEMS)), ("treatment", Requests(new=ITEMS))]
    assert (found.arms[1].again, found.arms[1].why) == (ITEMS, "its prompt changed")
    assert found.usd is not None
    said = project.call("plan", "--run_id", "r").prose
    assert f"re-asks 14 requests of treatment, about {found.usd.expected:.2g}" in said
    assert "USD: its prompt changed" in said


def test_an_excluded_trial_is_not_quoted_and_pays_for_nothing(project: Project) -> None:
    two_trials(project)
    found = planned(project, trials="other").quote
    assert found is not None
    assert {arm.trial for arm in found.arms} == {"m1-other-tp1-tk50-mx64-64"}
    assert found.requests == Requests(new=2 * ITEMS)


def test_jobs_in_flight_are_neither_new_nor_answered(project: Project) -> None:
    batch_files(project)
    before = quote_of(project)
    assert [arm.jobs for arm in before.arms] == [2, 2]
    assert before.seconds is None
    assert "time of jobs that are run by hand: not known" in project.call("plan").prose
    assert project.run("--to_step", "submit").code == 0
    found = quote_of(project)
    assert found.requests == Requests(in_flight=2 * ITEMS)
    assert "28 sent, not answered yet" in project.call("plan", "--run_id", "r").prose


def test_jobs_beyond_the_concurrent_limit_wait_for_the_others(project: Project) -> None:
    vendor = {"provider": "openai", "models": {"m1": {"id": "gpt-4o-mini"}}, "pricing": {}}
    project.write_config(vendor)
    wave = Band(BATCH_MEDIAN_S, BATCH_MEDIAN_S, BATCH_MOST_S)
    assert quote_of(project).seconds == wave
    project.write_config({**vendor, "execution": {"max_concurrent_jobs": 1}})
    assert quote_of(project).seconds == wave.scaled(4)
    assert [arm.seconds for arm in quote_of(project).arms] == [wave.scaled(2), wave.scaled(2)]
    assert "time: estimated for 4 jobs. Of 230,000 batches" in project.call("plan").prose


def test_jobs_of_a_wave_wait_for_the_look_at_the_previous_wave(project: Project) -> None:
    vendor = {"provider": "openai", "models": {"m1": {"id": "gpt-4o-mini"}}, "pricing": {}}
    project.write_config({**vendor, "stopping": {"rule": "obrien_fleming", "looks": 3}})
    assert project.run("--to_step", "build").code == 0
    found = quote_of(project)
    assert sum(arm.jobs for arm in found.arms) > 3
    assert found.seconds == Band(BATCH_MEDIAN_S, BATCH_MEDIAN_S, BATCH_MOST_S).scaled(3)


def test_the_duration_of_live_requests_is_that_of_earlier_ones_or_unknown(project: Project) -> None:
    assert quote_of(project).seconds is None
    assert "not measured yet; a pilot measures it" in project.call("plan").prose
    assert project.run("--limit_items", "3").code == 0
    found = quote_of(project, limit_items=4).seconds
    assert found is not None
    assert 0 < found.low < found.expected < found.high < 600


def test_answers_of_this_run_determine_the_token_estimate_of_the_rest(project: Project) -> None:
    before = quote_of(project, limit_items=3)
    assert {source(arm) for arm in before.arms} == {("default", "default")}
    assert project.run("--limit_items", "3").code == 0
    found = quote_of(project, limit_items=8)
    assert {source(arm) for arm in found.arms} == {("answers", "answers")}
    assert found.output_tokens == Band.exactly(3 * found.requests.new)  # as every answer of this provider
    assert "measured on this run's answers" in project.call("plan", "--run_id", "r", "--limit_items", "8").prose


def source(arm: Quoted) -> tuple[str, str]:
    assert arm.input_tokens is not None
    assert arm.output_tokens is not None
    return arm.input_tokens.source, arm.output_tokens.source


def test_an_edited_prompt_is_estimated_from_the_answers_of_the_other_arm_with_unknown_length(
    project: Project,
) -> None:
    assert project.run().code == 0
    (project.root / "config/treatment.txt").write_text("Be accurate, and brief.\n")
    assert source(quote_of(project).arms[1]) == ("answers", "default")


def test_an_unpriced_model_is_reported_and_never_costs_zero(project: Project) -> None:
    project.write_config({"pricing": {}})
    found = quote_of(project)
    assert (found.usd, found.reserve_usd, found.unpriced) == (None, None, ("m1",))
    said = project.call("plan").prose
    assert "no price is known for m1: its cost is unknown, not 0" in said


def test_the_maximum_cost_of_requests_equals_their_reserve(project: Project) -> None:
    found = quote_of(project)
    assert found.usd is not None
    assert found.reserve_usd is not None
    assert found.usd.high <= found.reserve_usd


def test_questions_on_the_hub_are_counted_as_a_maximum_without_calling_the_hub(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.Hub, "fetch", lambda *_args, **_more: pytest.fail("the hub was asked"))
    source = {"format": "nq_open", "hub": {"repo": "google-research-datasets/nq_open"}}
    paths = {"cache_dir": str(project.root / "cache")}
    project.write_config({"datasets": {"nq": source}, "limit_items": 7, "paths": paths})
    found = quote_of(project)
    assert (found.items, found.absent, found.usd, found.seconds) == (7, ("nq",), None, None)
    assert requests(found) == [("control", Requests(new=7)), ("treatment", Requests(new=7))]
    said = project.call("plan").prose
    assert "the questions of nq are on the hub and not in the cache: at most 7 items" in said
    project.write_config({"datasets": {"nq": source}, "paths": paths})
    assert quote_of(project).items is None


def test_an_invalid_question_file_is_reported_in_place_of_figures(project: Project) -> None:
    (project.root / "config/closed.jsonl").write_text('{"id": "c1", "question": "?"}\n{"id": "c1"')
    found = planned(project)
    assert found.quote is None
    assert "closed.jsonl:" in found.unquoted
    assert "requests and costs are not known" in project.call("plan").prose
    assert project.call("plan").code == 0


@pytest.mark.parametrize("change", [lambda arm: replace(arm, usd=None), lambda arm: arm])
def test_a_total_is_known_only_if_every_part_of_it_is(change: Callable[[Quoted], Quoted]) -> None:
    arms = [Quoted("t", name, "m", Requests(new=1), usd=Band(1, 2, 3), reserve_usd=4.0) for name in "ab"]
    found = Quote((arms[0], change(arms[1])), 1)
    assert (found.usd is None) == (found.arms[1].usd is None)
    assert found.usd is None or found.usd == Band(2, 4, 6)


def test_the_examples_are_planned_on_one_screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Acceptance: requests, tokens, money, time and phases of the hosted examples, with their trials."""
    root = Path(__file__).parents[2]
    monkeypatch.chdir(tmp_path)
    for config, flags in (
        ("config/eval_config.fireworks.yaml", ("--prompt_sets", "default,operational_only")),
        ("config/examples/fireworks.yaml", ()),
        ("config/examples/openai.yaml", ()),
    ):
        project = Project(tmp_path)
        lines = project.call("plan", "--config", str(root / config), *flags).out.splitlines()
        assert max(map(len, lines)) <= 80, config
        assert len(lines) <= 40, config
        text = "\n".join(lines)
        for word in ("new", "done", "shared", "input", "output", "USD", "(from-to)", "time", "total", "prepare"):
            assert word in text, (config, word)


def test_the_plan_for_programs_has_every_figure_and_keeps_its_schema(project: Project) -> None:
    two_trials(project, samples_per_item=2)
    document = json.loads(project.call("plan", "--json").out)
    validate(document, plan.json_schema())
    assert document["schema_version"] == plan.SCHEMA_VERSION
    found = quote_of(project)
    assert document["quote"]["requests"] == found.requests._asdict()
    assert document["quote"]["prices"]["m1"]["output_per_million"] == 2.0
    assert found.usd is not None
    assert document["quote"]["usd"] == {"low": found.usd.low, "expected": found.usd.expected, "high": found.usd.high}
    assert [(arm["trial"], arm["arm"], arm["input_source"]) for arm in document["quote"]["arms"]] == [
        (arm.trial, arm.arm, None if arm.input_tokens is None else arm.input_tokens.source) for arm in found.arms
    ]
    (project.root / "config/closed.jsonl").write_text("[")
    document = json.loads(project.call("plan", "--json").out)
    validate(document, plan.json_schema())
    assert document["quote"] is None
    assert "closed.jsonl" in document["unquoted"]


@pytest.mark.parametrize(
    ("said", "figure"),
    [
        (figures.tokens(945), "945"),
        (figures.tokens(31_249), "31.2k"),
        (figures.tokens(999_600), "1M"),
        (figures.tokens(3_104_000), "3.1M"),
        (figures.amount(0), "0"),
        (figures.amount(0.000071), "0.000071"),
        (figures.amount(0.0181), "0.018"),
        (figures.amount(0.000998), "0.0010"),
        (figures.amount(0.999), "1.00"),
        (figures.amount(1234.5), "1,234.50"),
        (figures.durations(Band(420, 420, 3600)), "7-60 min"),
        (figures.durations(Band(60, 60, 7200)), "60 s-2 h"),
        (figures.amounts(Band(1, 1, 1)), "1.00"),
    ],
)
def test_figures_are_short_and_a_small_one_is_never_shown_as_zero(said: str, figure: str) -> None:
    assert said == figure


def test_a_missing_key_is_named_while_requests_are_left(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "FIREWORKS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    project.write_config({"provider": "openai", "models": {"m1": {"id": "gpt-4o-mini"}}, "pricing": {}})
    said = "this run would be refused: OPENAI_API_KEY is not set"
    for step in (None, "prepare", "build"):
        if step is not None:
            assert project.run("--to_step", step).code == 0
        assert said in project.call("plan", "--run_id", "r").prose
    assert said not in project.call("plan", "--run_id", "r", "--to_step", "build").prose
