"""Where a table has the rows of a cell: one item at one temperature in one arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["CellRows"]


class CellRows:
    """The numbers of the rows of a table by their cells.

    Parameters
    ----------
    cells : ndarray of int, shape (n_rows,)
        The cell of each row; -1 for a row that belongs to none.
    samples : ndarray of int, shape (n_rows,)
        Its replicate: rows of a cell are in the order of these, and rows of one replicate in that of the table.
    n_cells : int
        Cells are numbered from 0.
    """

    def __init__(self, cells: npt.NDArray[np.int64], samples: npt.NDArray[np.int64], n_cells: int) -> None:
        import numpy as np

        order = np.argsort(cells * (1 + samples.max(initial=0)) + samples, kind="stable")  # quick: mostly in order
        ordered = cells[order]
        self._rows = order[ordered >= 0]
        self._bounds = np.searchsorted(ordered[ordered >= 0], np.arange(n_cells + 1))

    def of(self, cells: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], list[int]]:
        """Return the rows of some cells, cell by cell, and how many each of them has."""
        import numpy as np

        starts, stops = self._bounds[cells], self._bounds[cells + 1]
        counts = stops - starts
        before = np.cumsum(counts) - counts  # of each cell, how many rows there are of the cells before it
        return self._rows[np.repeat(starts - before, counts) + np.arange(counts.sum())], counts.tolist()
