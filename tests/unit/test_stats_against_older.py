"""New answers of an arm against older ones: the difference and its test are those of the two sets of scores."""

from __future__ import annotations

import numpy as np
import pytest

from promptrial.documents.drift import Drift
from promptrial.documents.significance import StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST
from promptrial.stats.against_older import drift_row
from promptrial.stats.analysis import analyse
from tests.support.score_tables import table_of

SETTINGS = StatsSettings(primary=("em",), graded=(), bootstrap_samples=50, permutation_samples=50)
NEW = [1.0] * 12 + [0.0] * 28
OLD = [0.0] * 10 + [1.0] * 2 + [0.0] * 28


def drift(older: list[float], new: list[float] = NEW, n: list[int] | None = None) -> Drift:
    table = table_of(new, [1.0] * len(new))
    counts = np.array([1] * len(older) if n is None else n)
    older_scores = (np.array(older), counts)
    return drift_row(table, "em", DEFAULT_CONTRAST, 0.0, older_scores, SETTINGS, runs=("earlier",), n_asked=len(older))


def test_new_answers_minus_older_ones_are_tested_as_the_endpoint_is() -> None:
    found = drift(OLD)
    [endpoint] = [
        row for row in analyse(table_of(OLD, NEW), SETTINGS).endpoints if (row.metric, row.scope) == ("em", "overall")
    ]
    assert (found.arm, found.metric, found.temp, found.runs) == ("control", "em", 0.0, ("earlier",))
    assert (found.n_asked, found.n_pairs, found.n_clusters, found.confidence) == (40, 40, 40, 0.95)
    assert found.difference == pytest.approx(0.25)
    assert (found.p, found.ci_low, found.ci_high) == (endpoint.p, endpoint.ci_low, endpoint.ci_high)
    assert found.method == endpoint.p_method == "score"
    assert found.reason is None


def test_a_change_as_large_as_the_further_limit_is_not_excluded() -> None:
    found, mirrored = drift(OLD), drift(NEW, OLD)
    assert found.not_excluded == found.ci_high
    assert mirrored.ci_low is not None
    assert mirrored.not_excluded == pytest.approx(-mirrored.ci_low)


def test_answers_have_changed_where_p_is_at_most_the_level() -> None:
    assert drift(OLD).drifted is True
    assert drift(NEW).drifted is False
    assert drift(NEW).p == 1


def test_items_without_an_older_answer_are_no_pairs() -> None:
    some = drift([*OLD[:20], *[float("nan")] * 20], n=[1] * 20 + [0] * 20)
    assert (some.n_asked, some.n_pairs) == (40, 20)
    none = drift([float("nan")] * 40, n=[0] * 40)
    assert (none.n_pairs, none.p, none.method, none.drifted, none.not_excluded) == (0, None, None, None, None)
    assert (none.difference, none.ci_low, none.ci_high) == (None, None, None)
    assert none.reason == "no item has both an older and a new answer"
