"""pyarrow does without pandas, until somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pandas")


def loaded(code: str) -> list[str]:
    """Return what a process prints that settles without pandas and then runs some code."""
    lines = ["import sys", "import pyarrow as pa", "from promptrial.runtime.arrow import settle_without_pandas", code]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_pyarrow_imports_pandas_unless_told_to_work_without_it() -> None:
    assert loaded('pa.array(["a"]); print("pandas" in sys.modules)') == ["True"]
    assert loaded('settle_without_pandas(); pa.array(["a"]); print("pandas" in sys.modules)') == ["False"]


def test_a_later_request_for_a_data_frame_still_works() -> None:
    found = loaded('settle_without_pandas(); print(*pa.table({"a": [1, 2]}).to_pandas().columns)')
    assert found == ["a"]


def test_an_already_imported_pandas_is_left_alone() -> None:
    assert loaded('import pandas; settle_without_pandas(); print(len(pa.array(pandas.Series(["a", None]))))') == ["2"]
