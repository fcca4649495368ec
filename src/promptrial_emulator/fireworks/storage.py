"""The storage behind signed URLs: where files are put and fetched. It knows no keys, and words its errors in XML."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp

from promptrial.documents.files import read_bytes
from promptrial_emulator import signed_urls
from promptrial_emulator.faults.transfers import broken_off, spoilt
from promptrial_emulator.fireworks.model import Dataset, Fireworks
from promptrial_emulator.operation import ApiError, Call
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Storage", "storage_refusal"]

_DOWNLOAD_S: Final = 599
_UPLOAD_S: Final = 3600
_SKEW_S: Final = 7200
_OCTETS: Final = "application/octet-stream"
_LENGTH_RANGE: Final = "x-goog-content-length-range"
_CODES: Final = {403: "AccessDenied", 404: "NoSuchKey", 429: "SlowDown", 503: "ServiceUnavailable"}
_EXPIRED: Final = ("ExpiredToken", "The provided token has expired.")


class Storage:
    """The two handlers, and the URLs that lead to them."""

    def __init__(self, fireworks: Fireworks) -> None:
        self._fireworks = fireworks
        self._core = fireworks.core

    def upload_url(self, call: Call, dataset: Dataset, name: str) -> str:
        """Return a URL to put a registered file to, good for an hour, with the headers that must come along."""
        size = dataset.registered[name]
        path = f"/storage/upload/{dataset.id}/{dataset.registration}/{name}"
        headers = {"content-type": _OCTETS, _LENGTH_RANGE: f"{size},{size}"}
        return self._signed(call, "PUT", path, _UPLOAD_S, headers)

    def download_url(self, call: Call, dataset: Dataset, file: StoredFile) -> str:
        """Return a URL to fetch a file from, good for ten minutes."""
        return self._signed(call, "GET", f"/storage/dataset/{dataset.id}/{file.name}", _DOWNLOAD_S, {})

    def put(self, call: Call) -> Response:
        """Keep the bytes of a registered file; those of a set that was replaced since go nowhere."""
        self._check(call, "PUT", f"/storage/upload/{call.path['id']}/{call.path['registration']}/{call.path['name']}")
        least, _, most = call.headers[_LENGTH_RANGE].partition(",")
        if not int(least) <= call.body.size <= int(most):
            code = "EntityTooSmall" if call.body.size < int(least) else "EntityTooLarge"
            raise ApiError(storage_error(400, code, f"The object has {call.body.size} bytes."))
        dataset = self._fireworks.datasets.find(call.path["id"])
        if dataset is None or str(dataset.registration) != call.path["registration"] or call.body.path is None:
            call.body.discard()
            return Response()
        others = [file for file in dataset.files if file.name != call.path["name"]]
        body = call.body
        dataset.files = [*others, StoredFile(call.path["name"], call.body.path.name, body.size, body.sha256)]
        self._fireworks.datasets.put(dataset)
        self._core.ledger.record(call.now, "put_signed", dataset.id, file=call.path["name"], sha256=body.sha256)
        return Response()

    def get(self, call: Call) -> ASGIApp:
        """Send the bytes of a file."""
        self._check(call, "GET", f"/storage/dataset/{call.path['id']}/{call.path['name']}")
        dataset = self._fireworks.datasets.find(call.path["id"])
        for file in dataset.files if dataset else ():
            if file.name == call.path["name"]:
                path = self._core.path(file.path)
                if fault := call.faults.get("F13"):
                    return spoilt(fault, read_bytes(path), call.url)
                if call.faults.get("F14", "mid_transfer"):
                    self._core.database.set_value(_revoked(call), "yes")
                    return broken_off(read_bytes(path))
                return FileResponse(path, media_type=_OCTETS)
        raise ApiError(storage_error(404, "NoSuchKey", "The specified key does not exist."))

    def _signed(self, call: Call, method: str, path: str, expires_s: int, headers: dict[str, str]) -> str:
        now = call.now - (_SKEW_S if call.faults.get("F14", "clock_skew") else 0)
        number = self._core.database.next_number("signed_urls")
        return call.base_url + signed_urls.sign(self._core.secret, method, path, now, expires_s, number, headers)

    def _check(self, call: Call, method: str, path: str) -> None:
        if "authorization" in call.headers:  # the key was sent to where it does not belong
            raise ApiError(storage_error(400, "InvalidArgument", "Only one authentication mechanism is allowed."))
        over = call.faults.get("F14", "expired") or self._core.database.value(_revoked(call), "")
        now = float("inf") if over else call.now
        try:
            signed_urls.verify(self._core.secret, method, path, now, call.query, call.headers)
        except signed_urls.ExpiredUrlError as error:
            raise ApiError(storage_error(self._core.settings.expired_status, *_EXPIRED)) from error
        except signed_urls.BadSignatureError as error:
            text = "The request signature we calculated does not match the signature you provided."
            raise ApiError(storage_error(403, "SignatureDoesNotMatch", text)) from error


def _revoked(call: Call) -> str:
    """Return under which name it is kept that a URL has expired before its time."""
    return f"revoked {call.query.get('X-Goog-Signature', '')}"


def storage_refusal(status: int, text: str) -> Response:
    """Return how the storage words an HTTP status."""
    return storage_error(status, _CODES.get(status, "InternalError"), text)


def storage_error(status: int, code: str, text: str) -> Response:
    """Return an error in XML."""
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
    return Response(body, status, media_type="application/xml")
