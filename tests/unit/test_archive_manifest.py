from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptrial.archive.manifest import (
    ArchivedFile,
    ArchiveManifest,
    Completeness,
    decode,
    differences,
    digest_line,
    encode,
)
from promptrial.documents.files import path_problem
from promptrial.errors import CorruptRecordError, NewerVersionError
from promptrial.store.jsonl import FileDigest
from tests.support.schemas import validate

SCHEMA = Path(__file__).parents[2] / "docs/schemas/archive_manifest.schema.json"
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def manifest(*files: ArchivedFile) -> ArchiveManifest:
    return ArchiveManifest(
        schema_version=1,
        run_id="r",
        promptrial_version="1.2",
        config_hash=None,
        completeness=Completeness(complete=False, phases={"prepare": "completed"}, left=("build: not done yet",)),
        files=files or (ArchivedFile("a/x", 1, A), ArchivedFile("b", 2, B)),
    )


def test_a_manifest_reads_back_as_it_was_and_fits_its_published_schema() -> None:
    data = encode(manifest())
    assert decode(data, "here") == manifest()
    validate(json.loads(data), json.loads(SCHEMA.read_text()))
    assert digest_line(data).endswith(b"  archive_manifest.json\n")


def test_a_manifest_of_a_newer_version_is_not_called_damaged() -> None:
    data = json.dumps({"schema_version": 2, "files": "of another kind"}).encode()
    with pytest.raises(NewerVersionError, match=r"here: archive_manifest\.json: made by a newer version"):
        decode(data, "here")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: m | {"schema_version": 0}, "schema_version is 0; this program knows 1"),
        (lambda m: {k: v for k, v in m.items() if k != "schema_version"}, "schema_version"),
        (lambda m: m | {"files": m["files"][::-1]}, "not in order"),
        (lambda m: m | {"files": [m["files"][0]] * 2}, "listed twice"),
        (lambda m: m | {"files": [{"path": "../x", "size": 1, "sha256": A}]}, "leads out"),
        (lambda m: m | {"files": [{"path": "/x", "size": 1, "sha256": A}]}, "leads out"),
        (lambda m: m | {"files": [{"path": "x", "size": -1, "sha256": A}]}, "its size or SHA-256 is missing"),
        (lambda m: m | {"files": [{"path": "x", "size": 1, "sha256": "AB"}]}, "its size or SHA-256 is missing"),
        (lambda m: m | {"files": [{"path": p, "size": 1, "sha256": A} for p in ("x", "x/y")]}, "'x': this name is"),
        (lambda m: m | {"files": [{"path": "archive_manifest.json", "size": 1, "sha256": A}]}, "this name is reserved"),
        (lambda m: m | {"files": "none"}, "damaged"),
    ],
)  # fmt: skip
def test_an_implausible_manifest_is_refused(change: Callable[[dict[str, Any]], dict[str, Any]], why: str) -> None:
    document = change(json.loads(encode(manifest())))
    with pytest.raises(CorruptRecordError, match=r"here: archive_manifest\.json") as caught:
        decode(json.dumps(document).encode(), "here")
    assert why in caught.value.message


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"\xff", b'"text"'])
def test_a_file_that_is_not_a_manifest_is_damaged_and_never_read_as_empty(data: bytes) -> None:
    with pytest.raises(CorruptRecordError, match="damaged"):
        decode(data, "here")


@pytest.mark.parametrize(
    "path", ["", "/", "/etc/x", "a/", "a//b", "./a", "a/../b", "..", "C:/x", "a\\b", "a\nb", "a\0", "\udce9"]
)
def test_a_path_that_is_unsafe_or_ambiguous_on_some_system_is_reported(path: str) -> None:
    assert path_problem(path)


@pytest.mark.parametrize("path", ["a", ".hidden", "a/b.c/d e", "Où/日本", "...", "a..b", "-x", "~"])
def test_an_ordinary_path_has_no_problem(path: str) -> None:
    assert path_problem(path) == ""


def test_files_that_differ_are_missing_or_are_extra_are_named_in_order() -> None:
    m = manifest(ArchivedFile("a", 1, A), ArchivedFile("b", 1, B), ArchivedFile("c", 1, C), ArchivedFile("d", 1, A))
    found = {"a": FileDigest(A, 1), "b": FileDigest(A, 1), "bb": FileDigest(A, 1), "d": FileDigest(A, 2)}
    assert [str(each) for each in differences(m, found, {})] == ["differs b", "extra bb", "missing c", "differs d"]


def test_the_file_after_the_last_readable_one_is_damaged_and_the_rest_is_unreadable() -> None:
    m = manifest(ArchivedFile("a", 1, A), ArchivedFile("b", 1, B), ArchivedFile("c", 1, C))
    found = {"a": FileDigest(A, 1)}
    assert [str(each) for each in differences(m, found, {}, "it is cut off")] == [
        "differs b (it is cut off)",
        "unreadable c (after the damage)",
    ]
    assert [each.path for each in differences(m, found, {"b": "bad"}, "bad")] == ["b", "c"]
    everything = {"a": FileDigest(A, 1), "b": FileDigest(B, 1), "c": FileDigest(C, 1)}
    assert differences(m, everything, {}) == ()
    assert [each.why for each in differences(m, everything, {}, "it is cut off")] == ["it is cut off"]


@pytest.mark.timeout(20)
def test_the_work_grows_linearly_with_the_number_of_files() -> None:
    paths = [f"t/results/{number:06d}" for number in range(100_000)]
    listed = manifest(*(ArchivedFile(path, 1, A) for path in paths))
    assert decode(encode(listed), "here") == listed
    found = dict.fromkeys(paths[:50_000], FileDigest(A, 1))
    assert len(differences(listed, found, {})) == 50_000
