"""Drawn bugs that no test can notice, each with the reason: whatever the program is asked, it does the same.

A bug of which that cannot be said does not belong here: it is a missing test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ARGUED", "Argued"]


@dataclass(frozen=True)
class Argued:
    """In ``module``, in the line ``old``, one may as well write ``new``, and ``why``."""

    module: str
    old: str
    new: str
    why: str


ARGUED: Final = (
    Argued(
        "costs/catalogue.py",
        "_FIRST_TIER: Final = -1",
        "_FIRST_TIER: Final = - 0",
        "no tier of the list starts at 0 tokens: its base rate does, and the first tier starts at 32,000",
    ),
    Argued(
        "costs/catalogue.py",
        "_FIRST_TIER: Final = -1",
        "_FIRST_TIER: Final = 1",
        "no tier of the list starts at 0 or 1 tokens: the first one starts at 32,000",
    ),
    Argued(
        "design/context_lengths.py",
        "if max((each.most for each in requests), default=0) > UNREMARKABLE:",
        "if max((each.most for each in requests), default= -1) > UNREMARKABLE:",
        "without requests nothing is longer than any limit, whether 0 or -1 stands for the longest",
    ),
    Argued(
        "reporting/plots/scores.py",
        "top = nice_ceiling(max((share for arm in shares.values() for share in arm), default=0.0))",
        "top = nice_ceiling(max((share for arm in shares.values() for share in arm), default= -1.0))",
        "nice_ceiling returns 1 for whatever is not above 0",
    ),
    Argued(
        "scoring/phrases.py",
        "optional = False",
        "optional = True",
        "a free stretch may begin with any word, and wherever that is so nobody asks whether it may be left out",
    ),
    Argued(
        "scoring/types/judge.py",
        'value_type = "integer" if isinstance(self.allowed[0], int) else "string"',
        'value_type = "integer" if isinstance(self.allowed[ 1], int) else "string"',
        "a verdict has at least two values, all of one type",
    ),
    Argued(
        "stats/resampling.py",
        "_BYTES_AT_ONCE: Final = 250_000",
        "_BYTES_AT_ONCE: Final = 250001",
        "it bounds memory, and as many octets fit into one byte more",
    ),
    Argued(
        "design/growth.py",
        "if len(added) == 1 and order == parts:",
        "if len(added) < 1 and order == parts:",
        "a short way for a run that never grew; the long way yields the same pieces",
    ),
    Argued(
        "reporting/plots/scores.py",
        "points, bins = [(frame.x(0), frame.y(0))], len(found) or 1",
        "points, bins = [(frame.x(0), frame.y(0))], len(found) or 0",
        "without bins nothing is divided by their number",
    ),
    Argued(
        "reporting/verdict.py",
        'who = f"{names.get(arm, arm)} is " if len(contrasts) > 1 else ""',
        'who = f"{names.get(arm, arm)} is " if len(contrasts) != 1 else ""',
        "it is within a loop over the contrasts, so that there is one at least",
    ),
    Argued(
        "scoring/types/command.py",
        "size = 0",
        "size = 1",
        "it bounds memory, and a batch may as well have one byte less",
    ),
    Argued(
        "stats/clusters.py",
        "return bool(self.sizes.size) and int(self.sizes.max()) > 1",
        "return bool(self.sizes.size) and int(self.sizes.max()) != 1",
        "a cluster has at least one item",
    ),
    Argued(
        "stats/power.py",
        "return np.where((most >= 0) & (discordant > 0), most, -1)",
        "return np.where((most >= 0) & (discordant > 0), most, - 2)",
        "its callers ask only whether a value is below 0",
    ),
    Argued(
        "stats/stopping.py",
        "if math.isnan(test.low) or math.isnan(test.high):",
        "if math.isnan(test.low) and math.isnan(test.high):",
        "a test has both limits or none",
    ),
    Argued(
        "stats/unconditional.py",
        "np.concatenate([np.linspace(points[i], points[j], 7) for i, j in zip(before, after, strict=True)])",
        "np.concatenate([np.linspace(points[i], points[j], 8) for i, j in zip(before, after, strict=True)])",
        "another grid for the same search: p-values differ by at most 3 in 100,000, and neither is the better one",
    ),
    Argued(
        "store/known_digests.py",
        "_WORTH_BYTES: Final = 32 << 20",
        "_WORTH_BYTES: Final = 31 << 20",
        "it decides whether keeping digests saves time, and no digest",
    ),
    Argued(
        "store/lock.py",
        "os.utime(self._fd if os.utime in os.supports_fd else self._path)",
        "os.utime(self._fd if not os.utime in os.supports_fd else self._path)",
        "both name the same file for as long as the lock is held",
    ),
    Argued(
        "store/lock.py",
        "os.close(os.open(guard, os.O_CREAT | os.O_EXCL, 0o644))",
        "os.close(os.open(guard, os.O_CREAT | os.O_EXCL, 421))",
        "others may then execute a file that is empty and removed a moment later",
    ),
    Argued(
        "store/unknown_keys.py",
        "if isinstance(said, dict) and isinstance(known, dict):",
        "if isinstance(said, dict) or isinstance(known, dict):",
        "both are of one file that was read by its types: where one is an object, so is the other",
    ),
    Argued(
        "costs/catalogue.py",
        "_FIRST_TIER: Final = -1",
        "_FIRST_TIER: Final = - 2",
        "no tier of the list starts below 0 tokens: the first one starts at 32,000",
    ),
    Argued(
        "design/parts.py",
        "for at in range(len(sizes[0])):",
        "for at in range(len(sizes[ -1])):",
        "each list has a size for each item, so that all are as long as the first",
    ),
    Argued(
        "jobs/schedule.py",
        "wait_number: int = -1",
        "wait_number: int = 1",
        "a task has a wait only once it has got the number of that wait",
    ),
    Argued(
        "jobs/fetching.py",
        "return over or (looks > 1 and (short is None or isinstance(short, ResultsTornError)))",
        "return over or (looks != 1 and (short is None or isinstance(short, ResultsTornError)))",
        "the first look is number 1",
    ),
    Argued(
        "scoring/letters.py",
        "for letter, n in self._letters.most_common(1):",
        "for letter, n in self._letters.most_common( 2):",
        "of two letters only one can be that of 95% of the questions",
    ),
    Argued(
        "scoring/python_function.py",
        "any(each.kind == kinds.VAR_KEYWORD for each in every),",
        "any(each.kind >= kinds.VAR_KEYWORD for each in every),",
        "no kind of a parameter of Python comes after it",
    ),
    Argued(
        "stats/pairing.py",
        "return all(int(each.max(initial=1)) == 1 for each in planned)",
        "return all(int(each.max(initial=1)) <= 1 for each in planned)",
        "the largest of some numbers and 1 is not below 1",
    ),
    Argued(
        "stats/several.py",
        "shown = p_adjusted <= (1 - settings.confidence) * _ROUNDING and each.test.estimate != 0",
        "shown = p_adjusted < (1 - settings.confidence) * _ROUNDING and each.test.estimate != 0",
        "the limit is the level and what rounding may add: a p-value that equals it may be on either side",
    ),
    Argued(
        "store/downloads.py",
        "return stat.S_IFREG if info.isreg() and not info.issparse() else 0",
        "return stat.S_IFREG if info.isreg() and not info.issparse() else 1",
        "neither is the number of a file or of a folder, and whatever else it is is refused",
    ),
    Argued(
        "reporting/cells.py",
        "return f\"{'+' if value > 0 else '-'}{text}\" if is_next_to_0 else text",
        "return f\"{'+' if value >= 0 else '-'}{text}\" if is_next_to_0 else text",
        "a limit of 0 is not next to 0",
    ),
    Argued(
        "store/unknown_keys.py",
        "elif isinstance(said, list) and isinstance(known, list):",
        "elif isinstance(said, list) or isinstance(known, list):",
        "both are of one file that was read by its types: where one is a list, so is the other",
    ),
    Argued(
        "stats/detectable.py",
        "if sample.n_clusters < 2 or not sample.binary or density(sample.difference, sample.cluster).dense:",
        "if sample.n_clusters < 3 or not sample.binary or density(sample.difference, sample.cluster).dense:",
        "flips of two clusters give 0.5 at least, which no level reaches, whatever else the test asks",
    ),
    Argued(
        "stats/selective.py",
        "if c < 2:",
        "if c < 1:",
        "the influence of one cluster is 0, and neither an unknown standard error nor one of 0 has an interval",
    ),
)
