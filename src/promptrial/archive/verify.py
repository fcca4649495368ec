"""Check the files beside this script against archive_manifest.json: python verify.py [FOLDER]. Needs only Python 3.

Names each file that differs, is missing or is extra; ends with 0 if there is none, and with 1 otherwise.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

MANIFEST = "archive_manifest.json"
DIGEST = "archive_manifest.sha256"


def sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a file; a link or a folder has none."""
    if path.is_symlink() or not path.is_file():
        return "not a file"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()


def problems(root: Path) -> Iterator[str]:
    """Yield what is wrong with an archive that was unpacked here."""
    digest, manifest = root / DIGEST, root / MANIFEST
    if not digest.is_file() or digest.read_bytes().split()[:1] != [sha256(manifest).encode()]:
        yield f"differs {MANIFEST} (from {DIGEST})"
    try:
        expected = {file["path"]: file for file in json.loads(manifest.read_bytes())["files"]}
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        yield f"unreadable {MANIFEST} ({error})"
        return
    there = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_symlink() or path.is_file()}
    for path in sorted({*expected, *there} - {MANIFEST, DIGEST}):
        if path not in there:
            yield f"missing {path}"
        elif path not in expected:
            yield f"extra {path}"
        elif sha256(there[path]) != expected[path]["sha256"]:
            yield f"differs {path}"


def shown(text: str) -> str:
    """Return a text in which what a terminal would obey, and not show, is escaped."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def main() -> int:
    """Print what is wrong, or that all is as it has to be."""
    root = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).resolve().parent
    found = list(problems(root))
    said = [*found, f"not as in {MANIFEST}"] if found else [f"as in {MANIFEST}"]
    sys.stdout.buffer.write("".join(f"{shown(line)}\n" for line in said).encode(errors="backslashreplace"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
