"""The published schemas of the run's records are those of the code, and what is saved fits them."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from promptrial import registry
from promptrial.store.part_records import FileRecord, PartRecord
from promptrial.store.records import Checkpoint, RunState, StageRecord, TrialManifest, json_schema, new_state, save
from promptrial.store.transitions import transition
from tests.support.project import Project
from tests.support.schemas import validate

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
KINDS: dict[str, type[RunState | TrialManifest]] = {"run_state": RunState, "trial_manifest": TrialManifest}


def published(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return document


def saved(folder: Path, record: RunState | TrialManifest) -> Any:
    save(folder / "record.json", record)
    return json.loads((folder / "record.json").read_bytes())


def state() -> RunState:
    state = new_state("r", "h")
    transition(state, "prepare", "in_progress", "t1")
    transition(state, "prepare", "failed", "t2", "it broke")
    state.last_checkpoint = Checkpoint("prepare", None, None, "t2")
    state.migrated = True
    state.overrides = {"limit_items": 3}
    state.drift = [{"at": "t", "keys": ["a"]}]
    state.config_file = "c.yaml"
    state.config_path = "/p/c.yaml"
    state.config_sha256 = "0" * 64
    return state


def manifest() -> TrialManifest:
    return TrialManifest(
        run_id="r",
        trial={"model_id": "m"},
        prompts={"control": {"sha256": "c", "tokens": None}},
        temps=[0.0],
        samples_per_item={"0.0": 1},
        stage_status={"parsed": StageRecord("completed", "t", {"p.csv": FileRecord("a", 1, 2)}, {"plan": "d"})},
        parts={"t0_control_p001": PartRecord(status="submitted", resume_key="t0_control", job="j")},
    )


RECORDS: dict[str, Callable[[], RunState | TrialManifest]] = {"run_state": state, "trial_manifest": manifest}


@pytest.mark.parametrize("name", KINDS)
def test_the_published_schema_equals_that_of_the_code(name: str) -> None:
    assert published(name) == json_schema(KINDS[name]), (
        f"docs/schemas/{name}.schema.json is out of date: write promptrial.store.records.json_schema into it"
    )
    jsonschema.Draft202012Validator.check_schema(published(name))


@pytest.mark.parametrize("name", KINDS)
def test_a_saved_record_matches_its_schema(tmp_path: Path, name: str) -> None:
    validate(saved(tmp_path, RECORDS[name]()), published(name))


def test_a_new_state_without_optional_keys_matches_the_schema(tmp_path: Path) -> None:
    document = saved(tmp_path, new_state("r", "h"))
    assert "migrated" not in document
    validate(document, published("run_state"))


@pytest.mark.parametrize("name", KINDS)
def test_the_schema_requires_all_keys_that_are_not_optional_and_fixes_versions(tmp_path: Path, name: str) -> None:
    good = saved(tmp_path, RECORDS[name]())
    optional = {"migrated", "config_file", "config_path", "config_sha256", "overrides", "drift"}
    for key in good:
        less = {other: value for other, value in good.items() if other != key}
        if key in optional:
            validate(less, published(name))
        else:
            with pytest.raises(jsonschema.ValidationError):
                validate(less, published(name))
    with pytest.raises(jsonschema.ValidationError):
        validate(good | {"schema_version": 99}, published(name))


def test_all_nine_phases_are_required_and_their_status_is_one_of_five(tmp_path: Path) -> None:
    good = saved(tmp_path, state())
    for phase in registry.PHASES:
        bad = copy.deepcopy(good)
        del bad["phases"][phase]
        with pytest.raises(jsonschema.ValidationError, match=phase):
            validate(bad, published("run_state"))
    bad = copy.deepcopy(good)
    bad["phases"]["score"]["status"] = "done"
    with pytest.raises(jsonschema.ValidationError, match="done"):
        validate(bad, published("run_state"))


def test_the_records_of_a_real_run_match_their_schemas(project: Project) -> None:
    assert project.run("--to_step", "parse").code == 0
    validate(json.loads((project.run_root() / "run_state.json").read_bytes()), published("run_state"))
    manifest = project.trial_folder() / "results" / "trial_manifest.json"
    validate(json.loads(manifest.read_bytes()), published("trial_manifest"))
