"""What the bytes of parse and score depend on besides the run itself: Python, this program's code, and libraries."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import promptrial
from promptrial.config.libraries import versions_of
from promptrial.documents.files import read_bytes

__all__ = ["Fingerprint", "differences", "fingerprint"]

_OF_TABLES: Final = ("msgspec", "numpy", "pyarrow")
_OF_SCORERS: Final = (
    "google-re2",
    "jsonschema",
    "jsonschema-specifications",
    "rapidfuzz",
    "referencing",
    "rouge-score",
    "sacrebleu",
)
"""Those of the extra ``scorers``."""
_CODE: Final = "code"

Fingerprint = tuple[tuple[str, str], ...]
"""Names and versions: ``Python``, ``promptrial``, ``code`` (the SHA-256 of its modules), and distributions."""


@functools.cache
def fingerprint() -> Fingerprint:
    """Return that of this process; a library that is not installed is not in it."""
    libraries = versions_of({name: name for name in (*_OF_TABLES, *_OF_SCORERS)})
    return (
        ("Python", f"{sys.version_info.major}.{sys.version_info.minor}"),
        ("promptrial", promptrial.__version__),
        (_CODE, _digest_of_code(Path(promptrial.__file__).parent)),
        *((name, version) for name, version in libraries.items() if version != "none"),
    )


def differences(wanted: Fingerprint, found: Fingerprint) -> Iterator[str]:
    """Yield what another process has that differs from what is wanted, as it continues "the node …".

    What is not in ``wanted`` is not needed.

    Examples
    --------
    >>> list(differences((("Python", "3.11"), ("numpy", "2.4.6")), (("Python", "3.12"), ("rapidfuzz", "3.9"))))
    ['has Python 3.12, and this machine has 3.11', 'has no numpy, and this machine has 2.4.6']
    """
    own = dict(found)
    for name, version in wanted:
        if own.get(name) == version:
            continue
        if name == _CODE:
            yield "has other code of promptrial than this machine"
        else:
            yield f"has {f'{name} {own[name]}' if name in own else f'no {name}'}, and this machine has {version}"


def _digest_of_code(folder: Path) -> str:
    """Return the SHA-256 of all modules of a package, with their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        content = read_bytes(path)
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
