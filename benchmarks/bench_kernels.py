"""Bootstrap, sign flips and max-T of graded scores, beside NumPy kernels that do only the arithmetic.

Each is called as a trial calls it: 10,000 bootstrap replicates with a BCa interval, 10,000 sign flips inverted to an
interval, 9,999 joint flips of three arms on two measures with max-T. A kernel draws as many resamples of the same
distribution and adds them up; it groups, checks, rounds and decides nothing. There are two of each, and the quicker one
is the yardstick:

* plain: draws indices, or a sign for each item, and sums by ``take`` or by a matrix product;
* blocks: draws by the byte, as the program does (``promptrial.stats.resampling``).

Scores are continuous, so that no two differences are alike, which is the most work; with ``--scores f1`` they are
ratios of small whole numbers with many ties, as token F1 is, and the rows have names of their own. The effect is clear,
so that no further flips are drawn. Figures are medians of processor time: a library of linear algebra may use threads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
from environment import environment_line
from targets import Row, add_json_flag, report, row

from promptrial.stats.bootstrap import cluster_bootstrap
from promptrial.stats.clusters import cluster_totals
from promptrial.stats.difference import clustered_difference_test
from promptrial.stats.max_t import joint_flips, max_t
from promptrial.stats.sign_flips import FEWEST_FLIPS

FloatArray = npt.NDArray[np.float64]
ITEMS: Final = 125_000
ARMS, MEASURES = 3, 2
RESAMPLES: Final = 10_000
SEED: Final = 1337
_AT_ONCE: Final = 64
_BLOCK: Final = 256
_OCTETS_AT_ONCE: Final = 128
Kernel = Callable[[np.random.Generator], object]


def scores(items: int, kind: str, rng: np.random.Generator) -> FloatArray:
    """Return made-up scores from 0 to 1, shape (measures, arms, items); later arms are better by one point."""
    shape = (MEASURES, ARMS, items)
    better = 0.01 * np.arange(ARMS)[None, :, None]
    if kind == "continuous":
        return np.clip(rng.beta(0.8, 0.8, size=shape) + better, 0, 1.01)
    lengths = rng.integers(2, 12, size=shape)
    common = np.where(rng.random(shape) < 0.4 + better, rng.integers(1, 12, size=shape), 0)
    values: FloatArray = 2.0 * np.minimum(common, lengths) / (lengths + np.maximum(common, lengths))
    return values


def contrasts(found: FloatArray) -> FloatArray:
    """Return the differences of every two arms in each measure, shape (items, columns)."""
    pairs = [(later, earlier) for later in range(ARMS) for earlier in range(later)]
    return np.stack([measure[later] - measure[earlier] for measure in found for later, earlier in pairs], axis=1)


# --- the kernels ---------------------------------------------------------------------------------------------------


def plain_bootstrap(values: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw means of as many values as there are, with replacement, by indices."""
    size = len(values)
    drawn: FloatArray = np.array([values.take(rng.integers(0, size, size, dtype=np.uint32)).sum() for _ in range(n)])
    return drawn / size


def block_bootstrap(values: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw the same means: how often each block of 256 values is hit, then values within a block by the byte."""
    blocks = [values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK)]
    shares = np.array([len(block) for block in blocks]) / len(values)
    means = []
    for start in range(0, n, 200):
        counts = rng.multinomial(len(values), shares, size=min(200, n - start))
        sums = np.zeros(len(counts))
        for block, hits in zip(blocks, counts.T, strict=True):
            total, hit = int(hits.sum()), np.flatnonzero(hits)
            index = _bytes(total, rng) if len(block) == _BLOCK else rng.integers(0, len(block), total, dtype=np.uint8)
            if total:
                sums[hit] += np.add.reduceat(block.take(index), np.cumsum(hits[hit]) - hits[hit])
        means.append(sums / len(values))
    return np.concatenate(means)


def plain_signs(rows: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw sums of rows that are each in or out with probability one half, shape (n, columns), by a matrix product."""
    return np.concatenate([_bits(number, len(rows), rng) @ rows for number in _chunks(n)])


def block_signs(rows: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """Draw the same sums by the byte: eight rows are one byte, looked up in the table of the 256 sums they can have."""
    padded = np.pad(rows, ((0, -len(rows) % 8), (0, 0))).reshape(-1, 8, rows.shape[1])
    choices = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float64)
    sums = np.zeros((n, rows.shape[1]))
    for start in range(0, len(padded), _OCTETS_AT_ONCE):
        octets = padded[start : start + _OCTETS_AT_ONCE]
        bytes_ = _bytes(len(octets) * n, rng).reshape(len(octets), n)
        for octet, drawn in zip(octets, bytes_, strict=True):
            sums += (choices @ octet).take(drawn, axis=0)
    return sums


def joint_kernel(
    signs: Callable[[FloatArray, int, np.random.Generator], FloatArray], rows: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return the share of flips whose largest statistic reaches that of each column."""
    scaled = rows / np.sqrt((rows**2).sum(axis=0))
    observed = np.abs(scaled.sum(axis=0))
    largest = np.abs(2 * signs(scaled, FEWEST_FLIPS, rng) - scaled.sum(axis=0)).max(axis=1)
    share: FloatArray = (largest[:, None] >= observed).mean(axis=0)
    return share


def _chunks(n: int) -> Iterator[int]:
    yield from (min(_AT_ONCE, n - start) for start in range(0, n, _AT_ONCE))


def _bits(n: int, width: int, rng: np.random.Generator) -> FloatArray:
    packed = _bytes(n * -(-width // 8), rng).reshape(n, -1)
    return np.unpackbits(packed, axis=1)[:, :width].astype(np.float64)


def _bytes(n: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    return rng.integers(0, 2**64, size=-(-n // 8), dtype=np.uint64).view(np.uint8)[:n]


# --- the program ---------------------------------------------------------------------------------------------------


def works(found: FloatArray) -> dict[str, tuple[Kernel, Mapping[str, Kernel]]]:
    """Return what the program does, by name, and the kernels of it."""
    rows = contrasts(found)
    difference = rows[:, 0]
    totals = cluster_totals(difference)
    flipped = np.stack(
        [np.ones(len(difference)), difference], axis=1
    )  # an interval needs both: how many, and their sum

    def flips(_rng: np.random.Generator) -> None:
        test = clustered_difference_test(difference, binary=False, draws=RESAMPLES, seed=SEED)
        assert test.flips is not None and test.flips.flips == RESAMPLES + 1  # noqa: S101, PT018 - no further ones

    def joint(_rng: np.random.Generator) -> None:
        drawn = joint_flips(rows, seed=SEED)
        max_t(drawn, list(range(rows.shape[1])), np.full(rows.shape[1], 1e-4), 0.05)

    return {
        "bootstrap": (
            lambda rng: cluster_bootstrap(totals, RESAMPLES, rng),
            {
                "plain": lambda rng: plain_bootstrap(difference, RESAMPLES, rng),
                "blocks": lambda rng: block_bootstrap(difference, RESAMPLES, rng),
            },
        ),
        "sign flips": (
            flips,
            {
                "plain": lambda rng: plain_signs(flipped, RESAMPLES, rng),
                "blocks": lambda rng: block_signs(flipped, RESAMPLES, rng),
            },
        ),
        "max-T": (
            joint,
            {
                "plain": lambda rng: joint_kernel(plain_signs, rows, rng),
                "blocks": lambda rng: joint_kernel(block_signs, rows, rng),
            },
        ),
    }


def seconds(work: Kernel) -> float:
    """Return the processor time that some work takes."""
    rng, began = np.random.default_rng(SEED), time.process_time()
    work(rng)
    return time.process_time() - began


def rows_of(items: int, kind: str, found: Mapping[str, Mapping[str, float]], machine: str) -> list[Row]:
    """Return the rows of the table; of each work ``found`` has the seconds of the program and of its kernels."""
    said = f"{items:,} items" if kind == "continuous" else f"{items:,} items ({kind})"
    return [
        row(
            f"{said}, {name}", times["program"], "s", machine,
            ratio=times["program"] / min(took for what, took in times.items() if what != "program"),
        )
        for name, times in found.items()
    ]  # fmt: skip


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scores", choices=["continuous", "f1"], default="continuous")
    add_json_flag(parser)
    asked = parser.parse_args()
    line = environment_line("promptrial", "numpy", "scipy")
    print(line)
    print(f"{asked.items:,} items, {asked.scores} scores, medians of {asked.rounds}, load {os.getloadavg()[0]:.1f}")
    found = {}
    for name, (program, kernels) in works(scores(asked.items, asked.scores, np.random.default_rng(SEED))).items():
        each = {"program": program, **kernels}
        times = [{what: seconds(work) for what, work in each.items()} for _ in range(asked.rounds)]
        found[name] = {what: statistics.median(one[what] for one in times) for what in each}
        print(f"{name}: " + ", ".join(f"{what} {took:.2f} s" for what, took in found[name].items()), flush=True)
    report(rows_of(asked.items, asked.scores, found, line), line, asked.json, seconds=found)


if __name__ == "__main__":
    main()
