"""Names that a vendor gives to jobs and files: what one looks like, wherever an answer says one.

Such a name is put into addresses, records, messages and commands for people. One that cannot be a name, such as an
empty one or one with control characters, makes an answer unreadable: what the call has created is then looked for.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

__all__ = ["FileName", "VendorId"]

_ID: Final = r"[A-Za-z0-9_][A-Za-z0-9_.:;,=+~@-]{0,511}"

VendorId = Annotated[str, msgspec.Meta(pattern=rf"\A{_ID}\Z")]
FileName = Annotated[str, msgspec.Meta(pattern=rf"\A(?:{_ID})?\Z")]
"""The name of a file that may not be there: an empty text says so."""
