"""What the creation of a batch may ask for: fields, endpoint, window, metadata. Its rows are looked at elsewhere."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from promptrial_emulator.openai.files import expiry
from promptrial_emulator.openai.messages import json_object, refused
from promptrial_emulator.openai.requests import ENDPOINTS
from promptrial_emulator.operation import Call

__all__ = ["batch_spec", "window_s"]

_FIELDS: Final = ("input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after")
_REQUIRED: Final = _FIELDS[:3]
_WINDOW: Final = re.compile(r"([1-9]\d?\d?)([hd])")
_SECONDS: Final = {"h": 3600.0, "d": 86_400.0}
_LONGEST_S: Final = 7 * 86_400.0
_PAIRS, _KEY, _VALUE = 16, 64, 512
_OTHER_HOSTS: Final = "/openai/"


def batch_spec(call: Call) -> dict[str, Any]:
    """Return what a batch asks for.

    Raises
    ------
    ApiError
        400 if that is not allowed.
    """
    spec = json_object(call.body.data)
    for name in spec:
        if name not in _FIELDS:
            raise refused(400, f"Unknown parameter: '{name}'.", "unknown_parameter", name)
    for name in _REQUIRED:
        if not isinstance(spec.get(name), str) or not spec[name]:
            raise refused(400, f"Missing required parameter: '{name}'.", "missing_required_parameter", name)
    elsewhere = urlsplit(call.url).path.startswith(_OTHER_HOSTS)
    allowed = (*ENDPOINTS, *(each.removeprefix("/v1") for each in ENDPOINTS if elsewhere))
    if spec["endpoint"] not in allowed:
        text = f"Invalid value: '{spec['endpoint']}'. Supported values are: {', '.join(allowed)}."
        raise refused(400, text, "invalid_value", "endpoint")
    within_s = window_s(spec["completion_window"])
    if not 0 < within_s <= _LONGEST_S or (not elsewhere and spec["completion_window"] != "24h"):
        text = f"Invalid value: '{spec['completion_window']}'. Supported values are: '24h'."
        raise refused(400, text, "invalid_value", "completion_window")
    _check_metadata(spec.get("metadata"))
    if (wanted := spec.get("output_expires_after")) is not None:
        given = wanted if isinstance(wanted, dict) else {}
        expiry(given.get("anchor"), given.get("seconds"), "output_expires_after")
    return spec


def window_s(text: str) -> float:
    """Return a window in seconds; 0 for what is none."""
    match = _WINDOW.fullmatch(text)
    return int(match[1]) * _SECONDS[match[2]] if match else 0.0


def _check_metadata(metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise refused(400, "Invalid type for 'metadata': expected strings.", "invalid_type", "metadata")
    if len(metadata) > _PAIRS:
        text = f"Invalid 'metadata': too many properties. Expected at most {_PAIRS}, but got {len(metadata)}."
        raise refused(400, text, "object_above_max_properties", "metadata")
    for key, value in metadata.items():
        if len(key) > _KEY:
            text = f"Invalid key in 'metadata': too long. Expected at most {_KEY} characters, but got {len(key)}."
            raise refused(400, text, "string_above_max_length", "metadata")
        if len(value) > _VALUE:
            text = f"Invalid 'metadata.{key}': string too long. Expected at most {_VALUE}, but got {len(value)}."
            raise refused(400, text, "string_above_max_length", f"metadata.{key}")
