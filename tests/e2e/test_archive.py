"""A finished run is archived, verified, damaged, checked and restored: as a folder, packed, and at an address."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptrial.archive.addresses import place_to_read
from promptrial.archive.places import PackedFile
from promptrial.archive.reading import verify
from promptrial.store.lock import RunLock
from tests.support import fake_provider
from tests.support.archives import BUCKET, make_run, s3_server
from tests.support.project import Outcome, Project
from tests.support.schemas import validate

ROOT = Path(__file__).parents[2]
DEFAULT = Path("experiments/archives/run_r.tar.zst")
ZSTD = b"\x28\xb5\x2f\xfd"
PAST_THE_MANIFEST = 4_000
"""The position of a byte after the manifest in a packed archive of a small run."""


@pytest.fixture
def finished(project: Project) -> Project:
    """A project with a finished run."""
    project.given_run()
    return project


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3") / "log") as url:
        yield url


def damaged(data: bytes, folder: Path) -> bytes:
    """Return an archive with one byte changed: in a packed one a byte of a file, and not one between files."""
    if not data.startswith(ZSTD):
        return bytes([data[0] ^ 1]) + data[1:]
    for at in range(PAST_THE_MANIFEST, len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        (folder / "changed").write_bytes(changed)
        differences = verify(PackedFile(folder / "changed")).differences
        if differences and not differences[0].path.startswith("("):
            return changed
    raise AssertionError("no file is in it")


def named(outcome: Outcome) -> list[str]:
    """Return the first words of the lines of ``verify``: what is wrong, and with which file."""
    return [" ".join(line.split()[:2]) for line in outcome.out.splitlines()[:-3]]


def test_a_finished_run_is_archived_in_the_default_place(finished: Project) -> None:
    before = finished.snapshot()
    outcome = finished.call("archive", "r", "--json")
    assert outcome.code == 0, outcome.err
    said = json.loads(outcome.out)
    assert (said["archive"], said["complete"], said["written"]) == (str(DEFAULT), True, True)
    assert finished.snapshot() == before, "the run keeps every byte"
    seen = json.loads(finished.call("verify", str(DEFAULT), "--json").out)
    assert seen["ok"]
    assert seen["manifest_sha256"] == said["manifest_sha256"]
    assert seen["files"] == len(before) - 1 + 1, "without the lock, and with the script that verifies"


def test_run_with_archive_archives_a_run_that_succeeded(project: Project) -> None:
    project.write_config({"paths": {"archive_dir": "kept"}})
    outcome = project.run("--archive", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["archive"]["archive"] == "kept/run_r.tar.zst"
    outcome = project.run("--archive", "--resume")
    assert outcome.code == 0, outcome.err
    assert "Already archived; verified again: run r, " in outcome.out
    assert "\n  kept/run_r.tar.zst\n" in outcome.out
    assert project.call("archive", "r").out.startswith("Already archived; verified again: run r, ")


def test_a_run_is_archived_where_its_starting_configuration_says(project: Project) -> None:
    project.write_config({"paths": {"archive_dir": "kept"}})
    (project.root / "config/eval_config.yaml").rename(project.root / "config/mine.yaml")
    assert project.run("--config", "config/mine.yaml").code == 0
    assert "\n  kept/run_r.tar.zst\n" in project.call("archive", "r").out


def test_a_missing_package_for_archives_is_reported_before_the_run_starts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    outcome = project.run("--archive")
    assert outcome.code == 2
    assert "pip install 'promptrial[archive]'" in outcome.err
    assert not project.run_root().exists()


def test_a_run_that_fails_is_not_archived(project: Project) -> None:
    (project.root / "config/closed.jsonl").write_text("garbled\n")
    assert project.run("--archive").code == 2
    assert not DEFAULT.exists()


def test_an_incomplete_run_is_archived_only_on_request(project: Project) -> None:
    project.given_run("--to_step", "parse")
    outcome = project.call("archive", "r")
    assert outcome.code == 1
    assert "run r is not complete:\n  score: " in outcome.err
    assert "--incomplete" in outcome.err
    assert not DEFAULT.exists()
    assert project.run("--to_step", "parse", "--resume", "--archive").code == 1
    outcome = project.call("archive", "r", "--incomplete")
    assert outcome.code == 0, outcome.err
    assert "not complete" in outcome.out
    fake_provider.CALLS.clear()
    shutil.rmtree(project.run_root())
    assert project.call("unarchive", str(DEFAULT)).code == 0
    assert project.run("--resume").code == 0
    assert not fake_provider.CALLS, "what was answered is not asked again"


def test_a_finished_run_with_a_damaged_artifact_is_not_complete(finished: Project) -> None:
    path = finished.trial_folder() / "results" / "costs.json"
    path.write_bytes(path.read_bytes() + b" ")
    outcome = finished.call("archive", "r")
    assert outcome.code == 1
    assert "costs: costs.json damaged" in outcome.err


def test_an_unreadable_configuration_is_explained_and_the_manifest_names_no_folder(finished: Project) -> None:
    (finished.run_root() / "effective_config.yaml").write_text("models: 3\n")
    outcome = finished.call("archive", "r")
    assert outcome.code == 1
    assert "effective_config.yaml cannot be read" in outcome.err
    assert "models" in outcome.err


def test_a_change_outside_the_run_does_not_prevent_archiving(finished: Project) -> None:
    shutil.rmtree(finished.root / "config")
    outcome = finished.call("archive", "r")
    assert outcome.code == 0, outcome.err


def test_a_run_that_a_process_works_on_is_refused(finished: Project) -> None:
    with RunLock(finished.run_root() / ".state.lock", since="now"):
        assert finished.call("archive", "r").code == 4
    assert not DEFAULT.exists()


def test_a_missing_run_or_archive_is_a_usage_error_with_a_hint(project: Project) -> None:
    for words in (["archive", "nothing"], ["verify", "nothing"], ["unarchive", "nothing"]):
        outcome = project.call(*words)
        assert outcome.code == 2
        assert "next: " in outcome.err


@pytest.mark.parametrize("to", ["kept", "kept.tar.zst", "memory://e2e/kept", "memory://e2e/kept.tar.zst"])
def test_an_archive_verifies_and_one_changed_byte_makes_it_fail(finished: Project, to: str) -> None:
    import fsspec

    outcome = finished.call("archive", "--run_id", "r", "--to", to)
    assert outcome.code == 0, outcome.err
    assert finished.call("verify", to).code == 0
    remote = "://" in to
    path = f"{to.removeprefix('memory:/') if remote else to}{'' if to.endswith('.zst') else '/aggregate_report.md'}"
    if remote:
        store = fsspec.filesystem("memory")
        store.pipe_file(path, damaged(store.cat_file(path), finished.root))
    else:
        Path(path).write_bytes(damaged(Path(path).read_bytes(), finished.root))
    outcome = finished.call("verify", to)
    assert outcome.code == 1
    first = named(outcome)[0]
    assert first.startswith("differs ")
    assert first.split()[1] in finished.snapshot()
    if not to.endswith(".zst"):
        assert named(outcome) == ["differs aggregate_report.md"]
    outcome = finished.call("unarchive", to, "--run_id", "again")
    assert outcome.code == 1
    assert "differs" in outcome.err
    assert not finished.run_root("again").exists()
    assert finished.call("archive", "r", "--to", to).code == 2, "what is there is neither kept nor written over"
    if remote:
        fsspec.filesystem("memory").rm("/e2e", recursive=True)


def test_program_and_script_name_each_different_missing_or_extra_file(finished: Project) -> None:
    assert finished.call("archive", "r", "--to", "kept").code == 0
    script = [sys.executable, "kept/verify.py"]
    good = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout, good.stderr) == (0, "as in archive_manifest.json\n", "")
    Path("kept/run.log").write_bytes(b"another\n")
    Path("kept/aggregate_report.md").unlink()
    Path("kept/prepared/extra.txt").write_bytes(b"")
    Path("kept/effective_config.yaml").unlink()
    Path("kept/effective_config.yaml").symlink_to(finished.run_root().absolute() / "effective_config.yaml")
    expected = [
        "missing aggregate_report.md", "differs effective_config.yaml", "extra prepared/extra.txt", "differs run.log",
    ]  # fmt: skip
    outcome = finished.call("verify", "kept")
    assert (outcome.code, named(outcome)) == (1, expected)
    bad = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout.splitlines()[:-1]) == (1, expected)
    Path("kept/archive_manifest.json").write_text("{}")
    bad = subprocess.run(script, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert bad.stdout.startswith("differs archive_manifest.json (from archive_manifest.sha256)\nunreadable")


def test_the_script_is_short_and_needs_nothing_but_python() -> None:
    script = ROOT / "src/promptrial/archive/verify.py"
    assert len(script.read_text().splitlines()) <= 70
    outcome = subprocess.run([sys.executable, "-I", "-S", script, "/nowhere"], capture_output=True, check=False)
    assert outcome.returncode == 1
    assert outcome.stderr == b""


def test_the_manifest_fits_its_published_schema(finished: Project) -> None:
    assert finished.call("archive", "r", "--to", "kept").code == 0
    manifest = json.loads(Path("kept/archive_manifest.json").read_bytes())
    validate(manifest, json.loads((ROOT / "docs/schemas/archive_manifest.schema.json").read_text()))
    assert manifest["completeness"]["complete"]
    assert set(manifest["completeness"]["phases"].values()) == {"completed"}
    assert not any(str(finished.root) in text for text in manifest)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_restored_run_has_nothing_left_to_do(
    finished: Project, elsewhere: bool, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = finished.snapshot()
    assert finished.call("archive", "r").code == 0
    archive = DEFAULT.absolute()
    if elsewhere:  # on another machine there is neither the configuration nor its files
        monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    outcome = finished.call("unarchive", str(archive), "--to", "restored")
    assert outcome.code == 0, outcome.err
    root = Path("restored/run_r")
    restored = {path: (root / path).read_bytes() for path in before if path != ".state.lock"}
    kept = {path: (finished.run_root() / path).read_bytes() for path in restored}
    state, of_old = json.loads(restored["run_state.json"]), json.loads(kept.pop("run_state.json"))
    assert {key for key in of_old if key not in state} == {"config_file", "config_path", "config_sha256"}
    assert state == {key: value for key, value in of_old.items() if key in state}
    changed = {path for path, data in kept.items() if restored[path] != data}
    assert {Path(path).name for path in changed} == {"trial_manifest.json"}, "and there only where the file stood"
    for path in changed:
        manifest, of_old = json.loads(restored[path]), json.loads(kept[path])
        of_old["origin"]["config_file"] = None
        assert manifest == of_old
    fake_provider.CALLS.clear()
    outcome = finished.call("run", "--run_id", "r", "--experiments_dir", "restored", "--resume")
    assert outcome.code == 0, outcome.err
    assert "nothing was left to do" in outcome.err
    assert not fake_provider.CALLS
    assert {path for path, data in restored.items() if (root / path).read_bytes() != data} == {"run.log"}


def cut_copy(text: str) -> str:
    return text[: len(text) // 2]


def unknown_key_in_copy(text: str) -> str:
    return text.replace("task_instructions:", "task_instructiont:")


def other_value_in_copy(text: str) -> str:
    return text.replace("top_k: 50", "top_k: 51")


@pytest.mark.parametrize("run_id", ["r", "again"])
@pytest.mark.parametrize("damage", [cut_copy, unknown_key_in_copy, other_value_in_copy, None])
def test_a_restored_run_with_a_damaged_configuration_copy_asks_for_the_configuration_and_resumes_with_it(
    finished: Project, damage: Callable[[str], str] | None, run_id: str
) -> None:
    path = finished.run_root() / "effective_config.yaml"
    before = path.read_text()
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage(before))
        assert path.read_text() != before
    assert finished.call("archive", "r", "--incomplete").code == 0
    shutil.move(finished.run_root(), finished.root / "moved")
    shutil.move(finished.root / "config", finished.root / "mine")
    assert finished.call("unarchive", str(DEFAULT), "--run_id", run_id).code == 0
    for command in (("resume", run_id), ("run", "--run_id", run_id, "--resume")):
        outcome = finished.call(*command)
        assert outcome.code in {2, 3}
        assert f"experiments/run_{run_id}/effective_config.yaml" in outcome.err
        assert "the run's own copy of its configuration" in outcome.err
        assert f"promptrial resume {run_id} --config path/to/config.yaml" in outcome.err
        assert "--force" not in outcome.err
    (finding,) = json.loads(finished.call("doctor", run_id, "--json").out)["findings"][:1]
    assert (finding["file"], finding["command"]) == (
        "effective_config.yaml", f"promptrial resume {run_id} --config path/to/config.yaml",
    )  # fmt: skip
    fake_provider.CALLS.clear()
    outcome = finished.call("resume", run_id, "--config", "mine/eval_config.yaml")
    assert outcome.code == 0, outcome.err
    assert not fake_provider.CALLS
    assert (finished.run_root(run_id) / "effective_config.yaml").read_text() == before
    assert finished.call("doctor", run_id).code == 0


def test_a_run_can_be_restored_and_used_under_another_name(finished: Project) -> None:
    assert finished.call("archive", "r").code == 0
    assert finished.call("unarchive", str(DEFAULT)).code == 2, "the run is there"
    outcome = finished.call("unarchive", str(DEFAULT), "--run_id", "again", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["folder"] == str(Path("experiments/run_again"))
    assert json.loads(finished.call("status", "--run_id", "again", "--json").out)["run_id"] == "again"
    outcome = finished.run("--resume", run_id="again")
    assert (outcome.code, "nothing was left to do" in outcome.err) == (0, True)
    assert finished.call("archive", "again").code == 0


@pytest.mark.parametrize("run_id", ["r", "again"])
@pytest.mark.parametrize("record", ["run_state.json", "*/results/trial_manifest.json", "batch_inputs/manifest.json"])
def test_a_run_with_a_damaged_record_is_restored_under_any_name_and_resumes(
    finished: Project, record: str, run_id: str
) -> None:
    before = {path: digest for path, digest in finished.snapshot().items() if path.endswith(".csv")}
    (path,) = finished.run_root().glob(record)
    path.write_bytes(path.read_bytes()[:-20])
    assert finished.call("archive", "r", "--incomplete").code == 0
    shutil.move(finished.run_root(), finished.root / "moved")
    outcome = finished.call("unarchive", str(DEFAULT), "--run_id", run_id)
    assert outcome.code == 0, outcome.err
    fake_provider.CALLS.clear()
    outcome = finished.call("resume", run_id)
    assert outcome.code == 0, outcome.err
    assert not fake_provider.CALLS
    after = finished.snapshot(run_id)
    assert {path: after[path] for path in before} == before
    assert finished.call("doctor", run_id).code == 0
    manifests = finished.run_root(run_id).glob("*/results/trial_manifest.json")
    assert {json.loads(manifest.read_bytes())["run_id"] for manifest in manifests} == {run_id}


@pytest.mark.parametrize("name", ["kept", "kept.tar.zst"])
def test_an_s3_server_keeps_an_archive_as_a_folder_does(
    finished: Project, s3: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (finished.root / ".env").write_text(
        f"AWS_ACCESS_KEY_ID=of-the-test\nAWS_SECRET_ACCESS_KEY=hush-hush\nAWS_ENDPOINT_URL={s3}\n"
    )
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    url = f"s3://{BUCKET}/spring/{name}"
    outcome = finished.call("archive", "r", "--to", url)
    assert outcome.code == 0, outcome.err
    assert finished.call("archive", "r", "--to", url).out.startswith("Already archived")
    assert finished.call("verify", url).code == 0
    outcome = finished.call("unarchive", url, "--run_id", "again")
    assert outcome.code == 0, outcome.err
    assert "nothing was left to do" in finished.run("--resume", run_id="again").err
    place = place_to_read(url, {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_ENDPOINT_URL": s3})
    system = place._store.system  # type: ignore[attr-defined]
    key = f"{BUCKET}/spring/{name}" + ("" if name.endswith(".zst") else "/aggregate_report.md")
    system.pipe_file(key, damaged(system.cat_file(key), finished.root))
    outcome = finished.call("verify", url)
    assert outcome.code == 1
    assert named(outcome)[0].split()[1] in finished.snapshot()
    assert finished.call("archive", "r", "--to", url).code == 2
    outcome = finished.call("archive", "r", "--to", f"s3://no-such-bucket/{name}")
    assert outcome.code == 1
    assert "s3://no-such-bucket" in outcome.err
    assert "hush-hush" not in outcome.err
    assert "of-the-test" not in outcome.err


@pytest.mark.parametrize("what", ["packed", "folder", "restore"])
def test_after_a_kill_no_incomplete_archive_has_the_final_name_and_the_same_command_succeeds(
    tmp_path: Path, what: str
) -> None:
    child = [sys.executable, "-m", "tests.support.archive_child", str(tmp_path), what]
    outcome = subprocess.run(child, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert outcome.returncode == 0, outcome.stderr
    kills = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert len(kills) > 10
    assert [kill["code"] for kill in kills] == [-9] * (len(kills) - 1) + [0]
    assert {kill["between"] for kill in kills} == {"nothing", "whole"}
    for kill in kills:
        there = what == "restore" and kill["between"] == "whole"
        assert kill["again"] == (2 if there else 0), kill
        assert (kill["end"], kill["rest"]) == ("whole", ["run_r.tar.zst" if what == "packed" else "run_r"])


def test_the_script_of_the_runbook_is_the_same_program(tmp_path: Path) -> None:
    make_run(tmp_path / "experiments")
    flags = ["r", "--experiments-dir", str(tmp_path / "experiments"), "--incomplete", "--json"]
    outcome = subprocess.run(
        [sys.executable, "-m", "scripts.archive_run", *flags], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["archive"] == str(tmp_path / "experiments/archives/run_r.tar.zst")
