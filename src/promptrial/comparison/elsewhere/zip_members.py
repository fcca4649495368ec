"""Members of a zip archive from outside, read one by one and never extracted: bounded, whatever the archive says.

Zstandard, which newer logs are compressed with and Python before 3.14 cannot read, is read by pyarrow.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from promptrial.datasets.place import Place
from promptrial.documents.files import open_regular
from promptrial.errors import DataError

__all__ = ["Members", "open_members"]

_ZSTD: Final = 93
_READ: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, _ZSTD})
_LOCAL: Final = struct.Struct("<4s5H3I2H")
"""The header in front of a member (PKWARE's APPNOTE, 4.3.7); its last two fields are the lengths of name and extra."""
_MOST_MEMBERS: Final = 1_000_000
_HINT: Final = "copy the log again, or convert it to JSON: inspect log convert FILE --to json --output-dir DIR"


class Members:
    """The members of an archive by name.

    Parameters
    ----------
    path : Path
        As messages name it.
    file : binary file
    archive : ZipFile
    """

    def __init__(self, path: Path, file: BinaryIO, archive: zipfile.ZipFile) -> None:
        self._path, self._file, self._archive = path, file, archive
        self._infos: dict[str, zipfile.ZipInfo] = {}
        infos = archive.infolist()
        if len(infos) > _MOST_MEMBERS:
            raise self._error(f"{len(infos):,} members; at most {_MOST_MEMBERS:,} are read")
        for info in infos:
            self._infos[info.filename] = info  # a log that was appended to holds the newest last

    def __contains__(self, name: str) -> bool:
        return name in self._infos

    def names(self, begin: str = "", end: str = "") -> list[str]:
        """Return the names that begin and end so, in the order of the archive."""
        return [name for name in self._infos if name.startswith(begin) and name.endswith(end)]

    def read(self, name: str, most: int) -> bytes:
        """Return the content of a member.

        Raises
        ------
        DataError
            If it is damaged, encrypted, compressed in another way, or larger than ``most`` bytes.
        """
        info = self._infos[name]
        if info.flag_bits & 1 or info.compress_type not in _READ:
            raise self._error(f"{name!r} is encrypted, or compressed in a way that is not read")
        try:
            data = self._zstd(info, most) if info.compress_type == _ZSTD else self._plain(info, most)
        except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile, struct.error) as error:
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self._error(f"{name!r} is damaged: {problem}") from error
        if len(data) > most:
            raise self._error(f"{name!r} is larger than {most >> 20} MiB once decompressed")
        return data

    def _plain(self, info: zipfile.ZipInfo, most: int) -> bytes:
        with self._archive.open(info) as member:
            return member.read(most + 1)

    def _zstd(self, info: zipfile.ZipInfo, most: int) -> bytes:
        import pyarrow as pa

        self._file.seek(info.header_offset)
        header = _LOCAL.unpack(self._file.read(_LOCAL.size))
        if header[0] != b"PK\x03\x04" or info.compress_size > most:
            raise ValueError("its header does not fit")
        self._file.seek(header[-2] + header[-1], io.SEEK_CUR)
        packed = self._file.read(info.compress_size)
        parts, size = [], 0
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            while size <= most and (chunk := stream.read(1 << 20)):
                parts.append(chunk)
                size += len(chunk)
        data = b"".join(parts)
        if size <= most and zlib.crc32(data) != info.CRC:
            raise ValueError("its checksum differs")
        return data

    def _error(self, problem: str) -> DataError:
        return Place(self._path, 1).error(problem, hint=_HINT)


@contextmanager
def open_members(path: Path) -> Iterator[Members]:
    """Open an archive.

    Raises
    ------
    DataError
        If it cannot be read, or is not a zip archive.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(open_regular(path))
            archive = stack.enter_context(zipfile.ZipFile(file))
        except (OSError, ValueError, struct.error, zipfile.BadZipFile, NotImplementedError) as error:
            # The last is what zipfile raises for an archive that needs a newer version of the format.
            raise Place(path, 1).error(f"not readable as a zip archive: {error}", hint=_HINT) from error
        yield Members(path, file, archive)
