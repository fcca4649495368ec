"""The Fireworks batch API as data."""

from __future__ import annotations

from typing import Final

from promptrial_emulator.api import Api, OperationKind, Trait

__all__ = ["FIREWORKS"]

_ACCOUNT: Final = "/v1/accounts/{account}"


def _kind(method: str, path: str, *traits: Trait) -> OperationKind:
    return OperationKind(method, path, frozenset(traits))


def _call(method: str, path: str, *traits: Trait) -> OperationKind:
    return _kind(method, _ACCOUNT + path, "applied", "json", *traits)


_JOB: Final[tuple[Trait, ...]] = ("create", "job", "row files", "fireworks job", "answer")

FIREWORKS: Final = Api(
    name="fireworks",
    spoken="Fireworks' batches",
    make="promptrial_emulator.fireworks.routes:make",
    # Paths with a verb come first: the id in the others matches a verb too.
    operations={
        "upload": _call("POST", "/datasets/{id}:upload"),
        "get_upload_endpoint": _call("POST", "/datasets/{id}:getUploadEndpoint", "signs"),
        "validate_upload": _call("POST", "/datasets/{id}:validateUpload"),
        "get_download_endpoint": _call("GET", "/datasets/{id}:getDownloadEndpoint", "read", "signs"),
        "create_dataset": _call("POST", "/datasets", "create"),
        "list_datasets": _call("GET", "/datasets", "list"),
        "get_dataset": _call("GET", "/datasets/{id}", "read"),
        "delete_dataset": _call("DELETE", "/datasets/{id}"),
        "create_job": _call("POST", "/batchInferenceJobs", *_JOB),
        "list_jobs": _call("GET", "/batchInferenceJobs", "list"),
        "get_job": _call("GET", "/batchInferenceJobs/{id}", "read"),
        "delete_job": _call("DELETE", "/batchInferenceJobs/{id}"),
        "get_model": _call("GET", "/models/{id}"),
        "put_signed": _kind("PUT", "/storage/upload/{id}/{registration}/{name}", "applied", "signed"),
        "download": _kind("GET", "/storage/dataset/{id}/{name}", "read", "download", "signed", "signed download"),
    },
    roots=("/v1/accounts",),
)
