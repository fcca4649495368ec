"""Many texts in the memory of their characters: a list of strings takes three times as much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, overload

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Texts"]

_AT_ONCE: Final = 1 << 16


class Texts(Sequence[str]):
    """A sequence of texts that holds an Arrow array, none of them missing."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Return some texts; few of them are strings at a time."""
        import pyarrow as pa

        left = iter(texts)
        parts = [pa.array([], pa.string())]
        while held := list(islice(left, _AT_ONCE)):
            parts.append(pa.array(held, pa.string()))
        return cls(pa.concat_arrays(parts))

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...

    def __getitem__(self, place: int | slice) -> str | Sequence[str]:
        return Texts(self.array[place]) if isinstance(place, slice) else str(self.array[int(place)].as_py())

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self.array), _AT_ONCE):
            yield from self.array.slice(start, _AT_ONCE).to_pylist()
