"""The same scores give the same figures, to the last bit, whatever instructions the processor has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import promptrial.stats

_SCRIPT: Final = """
import msgspec, numpy as np
from promptrial.stats.alpha_spending import bounds
from promptrial.stats.analysis import analyse
from promptrial.stats.clusters import ClusterTotals
from promptrial.stats.e_process import EProcess
from promptrial.stats.unconditional import exact_lower_limit
from tests.support.score_tables import table_of

rng = np.random.default_rng(5)
cluster = np.sort(rng.integers(0, 9, 120)).tolist()
right = [(rng.random(120) < share).astype(float).tolist() for share in (0.5, 0.62)]
graded = [rng.beta(2, 3, 120).tolist() for _ in range(2)]
for each in (table_of(*right, cluster=cluster), table_of(*right), table_of(*graded, metric="f1", cluster=cluster)):
    print(msgspec.json.encode(analyse(each)).decode())
print(exact_lower_limit(31, 17, 120, 0.025))
print(bounds("pocock", [0.3, 0.7, 1.0]).tolist(), bounds("obrien_fleming", [0.3, 0.7, 1.0]).tolist())
print(EProcess(ClusterTotals(np.round(rng.uniform(-0.6, 1, 50), 12), np.ones(50, np.int64)), 1.0, 1).log_e(0.0))
"""
_ELEMENTARY: Final = re.compile(r"np\.(?:exp|expm1|log\d*p?|sin|cos|tan|power|dot|matmul|linalg|cov|corrcoef)\b| @ ")
_ROUNDED: Final = {"elementary.py", "lattice.py"}
"""The first is what the others call; the other one rounds what it returns to ten digits."""


def figures(**environment: str) -> str:
    """Return the figures as a process of its own computes them; the variables say what NumPy may use."""
    return subprocess.run(
        [sys.executable, "-c", _SCRIPT], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
    ).stdout  # fmt: skip


def test_figures_do_not_depend_on_the_kernels_of_the_matrix_library() -> None:
    usual = figures()
    assert usual.count("\n") > 5
    for kernel in ("Prescott", "Nehalem"):
        assert figures(OPENBLAS_CORETYPE=kernel) == usual, kernel


@pytest.mark.slow
def test_figures_do_not_depend_on_the_instructions_of_the_processor() -> None:
    from numpy._core import _multiarray_umath as numpy_core  # type: ignore[attr-defined]

    usual = figures()
    present = [name for name in numpy_core.__cpu_dispatch__ if numpy_core.__cpu_features__.get(name)]
    for start in range(len(present)):
        assert figures(NPY_DISABLE_CPU_FEATURES=" ".join(present[start:])) == usual, present[start:]


@pytest.mark.parametrize(
    "path", sorted(Path(promptrial.stats.__file__).parent.glob("*.py")), ids=lambda path: str(path.stem)
)
def test_statistics_use_elementary_functions_that_are_bit_identical_everywhere(path: Path) -> None:
    code = re.sub(r'""".*?"""', "", path.read_text(), flags=re.DOTALL)
    assert path.name in _ROUNDED or _ELEMENTARY.findall(code) == []


def test_the_avoided_functions_are_those_of_numpy() -> None:
    assert _ELEMENTARY.findall("np.exp(x) + np.log1p(y) @ z + np.sin(1) + np.expand_dims(x)") == [
        "np.exp", "np.log1p", " @ ", "np.sin",
    ]  # fmt: skip
