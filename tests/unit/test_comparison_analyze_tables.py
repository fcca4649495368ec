"""Plain tables of scores, as ``analyze`` reads them, and what it says of those that it cannot."""

from __future__ import annotations

import csv
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from promptrial.comparison.elsewhere.analysing import AnalysisRequest, analyze
from promptrial.comparison.elsewhere.collecting import Answers, collect
from promptrial.comparison.elsewhere.rows import Columns, ReadingNotes
from promptrial.comparison.elsewhere.scales import Declared, scale_of
from promptrial.comparison.elsewhere.score_table import chosen_arms, score_table
from promptrial.comparison.elsewhere.sources import sources
from promptrial.documents.significance import StatsSettings
from promptrial.errors import DataError, UsageError
from promptrial.stats.analysis import analyse
from promptrial.stats.group_means import group_means
from promptrial.stats.pairing import ScoreTable
from tests.support.result_files import write_json_lines

LONG = (("item", "arm", "score"), ("a", "base", "0"), ("a", "new", "1"), ("b", "base", "1"), ("b", "new", "1"))


def csv_file(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def read(
    *paths: object, columns: Columns | None = None, duplicates: str = "error", notes: ReadingNotes | None = None
) -> Answers:
    notes = notes or ReadingNotes()
    return collect(sources(list(map(str, paths)), columns or Columns(), None, notes), notes, duplicates)  # type: ignore[arg-type]


def by_arm(answers: Answers, measure: str = "score") -> dict[str, dict[str, float]]:
    """Return arm -> item -> mean score."""
    chosen = chosen_arms(answers.arms, (), None)
    table = score_table(answers, chosen, {measure: "m"})[0]
    return scores_of(table, chosen.names)


def scores_of(table: ScoreTable, names: Sequence[str]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    for arm, item, score in zip(table.arm, table.item, table.metrics["m"], strict=True):
        found[names[arm]][table.item_keys[item]] = float(score)
    return found


def planned_by_arm(table: ScoreTable) -> list[list[int]]:
    """Return how many answers of each item count as planned, by arm."""
    return [table.planned_of_items(arm, 0.0).tolist() for arm in table.arm_names]


def refusal(kind: type[Exception], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


EXPECTED = {"base": {"a": 0.0, "b": 1.0}, "new": {"a": 1.0, "b": 1.0}}


def test_a_long_table_is_read_from_csv_jsonl_and_parquet_alike(tmp_path: Path) -> None:
    rows = [dict(zip(LONG[0], row, strict=True)) for row in LONG[1:]]
    as_csv = csv_file(tmp_path / "t.csv", LONG)
    as_jsonl = tmp_path / "t.jsonl"
    as_jsonl.write_text("".join(json.dumps(row) + "\n" for row in rows))
    as_parquet = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pylist([{**row, "score": float(row["score"])} for row in rows]), as_parquet)
    for path in (as_csv, as_jsonl, as_parquet):
        assert by_arm(read(path)) == EXPECTED, path


def test_columns_of_other_names_are_mapped_by_flags(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", (("nr", "who", "points", "part"), *((*row, "x") for row in LONG[1:])))
    columns = Columns(item="nr", arm="who", scores=("points",), group="part")
    answers = read(path, columns=columns)
    assert by_arm(answers, "points") == EXPECTED
    assert answers.groups == ["x"]


def test_a_wrong_column_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", LONG)
    said = refusal(UsageError, lambda: read(path, columns=Columns(scores=("scor",))))
    assert "--score scor: there is no column 'scor'; did you mean 'score'?; there are: item, arm, score" in said
    assert "did you mean 'item'" in refusal(UsageError, lambda: read(path, columns=Columns(item="itme")))


def test_a_wide_table_has_one_column_per_arm(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", (("id", "base", "new", "note"), ("a", 0, 1, "x"), ("b", 1, 1, "y")))
    notes = ReadingNotes()
    assert by_arm(read(path, notes=notes)) == EXPECTED
    assert "t.csv: each of the columns base, new is an arm" in notes.lines


def test_a_wide_table_can_hold_one_object_of_scores_per_arm(tmp_path: Path) -> None:
    rows = [{"item": "a", "base": {"acc": 0, "f1": 0.5}, "new": {"acc": 1, "f1": 0.75}},
            {"item": "b", "base": {"acc": 1, "f1": 0.5}, "new": {"acc": 1, "f1": None}}]  # fmt: skip
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    answers = read(path)
    assert by_arm(answers, "acc") == EXPECTED
    assert by_arm(answers, "f1")["new"]["a"] == 0.75


def test_two_files_of_one_arm_each_are_named_after_their_files_or_by_hand(tmp_path: Path) -> None:
    base = csv_file(tmp_path / "base.csv", (("item", "score"), ("a", 0), ("b", 1)))
    new = csv_file(tmp_path / "new.csv", (("item", "score"), ("b", 1), ("a", 1)))
    assert by_arm(read(base, new)) == EXPECTED
    assert [*by_arm(read(f"old={base}", f"gpt 5={new}"))] == ["old", "gpt 5"]


def test_a_single_file_without_arms_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", (("item", "score"), ("a", 0), ("b", 1)))
    said = refusal(UsageError, lambda: read(path))
    assert "there is no column of arms" in said
    assert "promptrial analyze base=" in said


def test_a_table_without_an_item_column_is_not_paired_by_its_order(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", (("arm", "score", "name"), ("base", 0, "a"), ("new", 1, "a")))
    assert "--item COLUMN" in refusal(UsageError, lambda: read(path))


def test_files_with_the_same_name_are_distinguished_by_their_paths(tmp_path: Path) -> None:
    paths = []
    for folder, score in (("base", 0), ("new", 1)):
        (tmp_path / folder / "logs").mkdir(parents=True)
        paths.append(csv_file(tmp_path / folder / "logs" / "scores.csv", (("item", "score"), ("a", score), ("b", 1))))
    assert by_arm(read(*paths)) == EXPECTED


def test_wide_tables_without_an_item_are_not_paired_by_their_order_across_files(tmp_path: Path) -> None:
    one = csv_file(tmp_path / "one.csv", (("base", "new"), (0, 1), (1, 1)))
    assert by_arm(read(one)) == {"base": {"row 1": 0.0, "row 2": 1.0}, "new": {"row 1": 1.0, "row 2": 1.0}}
    other = csv_file(tmp_path / "other.csv", (("c", "d"), (0, 1), (1, 1)))
    assert "--item COLUMN" in refusal(UsageError, lambda: read(one, other))


def test_a_measure_column_makes_one_measure_of_each_of_its_values(tmp_path: Path) -> None:
    rows = [
        (item, arm, metric, value)
        for item in "ab"
        for arm in ("base", "new")
        for metric, value in (("acc", 1), ("f1", 0.5))
    ]
    path = csv_file(tmp_path / "t.csv", (("item", "arm", "metric", "score"), *rows))
    assert list(read(path).measures) == ["acc", "f1"]


def test_replicates_are_averaged_and_counted(tmp_path: Path) -> None:
    rows = [("a", "base", 0, 1), ("a", "base", 1, 2), ("a", "new", 1, 1), ("a", "new", "", 2)]
    path = csv_file(tmp_path / "t.csv", (("item", "arm", "score", "replicate"), *rows))
    answers = read(path)
    table = score_table(answers, chosen_arms(answers.arms, (), None), {"score": "m"})[0]
    assert table.n_samples.tolist() == [2, 1]
    assert planned_by_arm(table) == [[2], [2]]
    assert by_arm(answers) == {"base": {"a": 0.5}, "new": {"a": 1.0}}


def repeated(path: Path, scores: Sequence[tuple[str, str, object]]) -> ScoreTable:
    """Return the table of these items, arms and scores; each is another answer."""
    rows = [(*row, replicate) for replicate, row in enumerate(scores)]
    answers = read(csv_file(path, (("item", "arm", "score", "replicate"), *rows)))
    return score_table(answers, chosen_arms(answers.arms, (), None), {"score": "m"})[0]


def test_an_item_with_fewer_answers_than_another_has_no_missing_answer(tmp_path: Path) -> None:
    """As of a log that was extended by a second epoch for some of its items."""
    scores = [
        ("q0", "base", 1),
        ("q0", "base", 0),
        *((f"q{n}", arm, n % 2) for n in range(9) for arm in ("base", "new")),
    ]
    table = repeated(tmp_path / "t.csv", scores)
    assert planned_by_arm(table) == [[3, 1, 1, 1, 1, 1, 1, 1, 1], [1] * 9]
    (row,) = analyse(table, StatsSettings(primary=("m",), wanted={"m": "higher"})).endpoints
    assert row.attrition is not None
    assert row.missing_sensitivity is not None
    assert row.attrition.missing_of_planned == ((0, 11), (0, 9))
    assert row.bounds.answers_missing == (0, 0)
    assert (row.bounds.low, row.bounds.high) == pytest.approx((row.difference, row.difference))
    assert row.missing_sensitivity.difference == row.difference
    assert row.scale == "graded", "the mean of three answers is not 0 or 1"


def test_an_item_without_answers_in_an_arm_misses_the_usual_number_of_that_arm(tmp_path: Path) -> None:
    base = [("q0", "base", 1)] * 5 + [(f"q{n}", "base", 1) for n in (1, 1, 2, 2)]
    table = repeated(tmp_path / "t.csv", [*base, *((f"q{n}", "new", 1) for n in range(4)), ("q3", "new", "")])
    assert planned_by_arm(table) == [[5, 2, 2, 2], [1, 1, 1, 2]]
    (row,) = analyse(table, StatsSettings(primary=("m",))).endpoints
    assert row.attrition is not None
    assert row.attrition.missing_of_planned == ((2, 11), (1, 5))


def test_duplicates_are_refused_averaged_or_reduced_to_the_first(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", (*LONG, ("a", "base", "1")))
    said = refusal(DataError, lambda: read(path))
    assert "t.csv:6: item 'a' has a second score of score in the arm 'base'; the first is at" in said
    assert "t.csv:2:" in said
    assert "--replicate COLUMN" in said
    assert by_arm(read(path, duplicates="mean"))["base"]["a"] == 0.5
    notes = ReadingNotes()
    assert by_arm(read(path, duplicates="first", notes=notes))["base"]["a"] == 0.0
    assert "repeated scores of score, of which only the first is used: 1" in notes.lines


def test_an_item_has_one_cluster(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", (("item", "arm", "score", "cluster"), ("a", "b", 1, "x"), ("a", "n", 1, "y")))
    assert "has the cluster 'y' here and 'x' in an earlier row" in refusal(DataError, lambda: read(path))


@pytest.mark.parametrize("cell", ["=1+1", "12%", "0,5", "one", "1_000", "[1]", "9" * 500])
def test_a_cell_that_is_not_a_score_is_refused_with_its_place(tmp_path: Path, cell: str) -> None:
    path = csv_file(tmp_path / "t.csv", (*LONG[:-1], ("b", "new", cell)))
    said = refusal(DataError, lambda: read(path))
    assert f"{path}:5: column 'score' holds" in said
    assert "expected a number, true or false, or nothing" in said


@pytest.mark.parametrize("cell", ["", "NaN", "null", "inf", "-Infinity", "1e999"])
def test_empty_and_non_finite_cells_are_missing(tmp_path: Path, cell: str) -> None:
    path = csv_file(tmp_path / "t.csv", (*LONG[:-1], ("b", "new", cell)))
    assert np.isnan(by_arm(read(path))["new"]["b"])


def test_hostile_json_is_refused_with_its_line(tmp_path: Path) -> None:
    good = '{"item": "a", "arm": "base", "score": 1}\n{"item": "a", "arm": "new", "score": 1}\n'
    for bad in ('{"item": ' + "[" * 100_000, '{"item": "b"', '["b"]', '{"item": "b", "arm": "base", "score": 1} x'):
        path = tmp_path / "t.jsonl"
        path.write_text(good + bad + "\n")
        assert f"{path}:3:" in refusal(DataError, partial(read, path)), bad[:20]


def test_a_score_that_cannot_be_squared_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path / "t.csv", (*LONG[:-1], ("b", "new", "1e300")))
    assert "t.csv:5: the score 1e+300 of score is too large" in refusal(DataError, lambda: read(path))


def test_bytes_that_are_not_text_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"item": "a", "arm": "base", "score": 1}\n{"item": "\xff", "arm": "new", "score": 1}\n')
    assert "t.jsonl:2: not UTF-8" in refusal(DataError, lambda: read(path))


def test_a_huge_number_is_not_a_finite_score(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"item": "a", "arm": "base", "score": 1}\n{"item": "a", "arm": "new", "score": 1e400}\n')
    assert "t.jsonl:2:" in refusal(DataError, lambda: read(path))


def test_texts_of_any_length_take_no_more_memory_than_a_line(tmp_path: Path) -> None:
    text = "a long answer " * 30_000
    rows = (
        {"doc_id": n, "doc": {"q": text}, "resps": [[text]], "filtered_resps": [text], "acc": n % 2} for n in range(20)
    )
    path = write_json_lines(tmp_path / "base" / "samples_t_2026-01-01T00-00-00.1.jsonl", rows)
    read(path)  # what is imported is not counted
    tracemalloc.start()
    answers = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answers.measures["acc"].scores.tolist() == [0.0, 1.0] * 10
    assert peak < path.stat().st_size / 3


# --- archives and folders from outside ------------------------------------------------------------------------------


def test_a_member_that_decompresses_endlessly_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptrial.comparison.elsewhere.formats.inspect_logs._MOST_HEADER", 1 << 20)
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", b" " * (8 << 20))
    assert "'header.json' is larger than 1 MiB once decompressed" in refusal(DataError, lambda: read(path))


def test_no_member_of_an_archive_is_written_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "log.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../outside.json", "{}")
        archive.writestr("header.json", '{"version": 2, "status": "success", "eval": {"task": "t", "model": "m"}}')
    before = sorted(tmp_path.parent.iterdir())
    assert "no score was found" in refusal(UsageError, lambda: read(path))
    assert sorted(tmp_path.parent.iterdir()) == before
    path.write_bytes(path.read_bytes().replace(b"header.json", b"h\xffader.json"))
    for data in (path.read_bytes(), b"PK\x03\x04 and then nothing"):
        path.write_bytes(data)
        assert str(path) in refusal(DataError, lambda: read(path))


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    outside = csv_file(tmp_path / "outside.csv", LONG)
    folder = tmp_path / "folder"
    folder.mkdir()
    csv_file(folder / "t.csv", LONG)
    (folder / "link.csv").symlink_to(outside)
    notes = ReadingNotes()
    assert by_arm(read(folder, notes=notes)) == EXPECTED
    assert "links in folders, not followed: 1" in notes.lines


def test_a_missing_file_is_answered_with_the_nearest(tmp_path: Path) -> None:
    csv_file(tmp_path / "scores.csv", LONG)
    assert "did you mean 'scores.csv'?" in refusal(UsageError, lambda: read(tmp_path / "score.csv"))
    (tmp_path / "empty").mkdir()
    assert "no file of results is there" in refusal(UsageError, lambda: read(tmp_path / "empty"))


# --- arms, scales, groups -------------------------------------------------------------------------------------------


def test_arms_are_called_control_and_treatment_or_by_names_of_their_own() -> None:
    two = chosen_arms(["org/A-1", "org/B"], (), "org/B")
    assert two.labels == {"control": "org/B", "treatment": "org/A-1"}
    more = chosen_arms(["base", "Org/New Model", "org new-model", "treatment", "7b"], (), None)
    assert more.arms == ("control", "org_new_model", "org_new_model_2", "treatment_arm", "arm_7b")


def test_a_missing_arm_is_answered_with_the_nearest() -> None:
    said = refusal(UsageError, lambda: chosen_arms(["base", "new"], (), "bass"))
    assert said.startswith("there is no arm 'bass'; did you mean 'base'?; there are: base, new")
    assert "there is only one arm (base)" in refusal(UsageError, lambda: chosen_arms(["base"], (), None))


def test_a_scale_is_inferred_and_reported_or_declared_and_checked(tmp_path: Path) -> None:
    answers = read(csv_file(tmp_path / "t.csv", LONG))
    found, said = scale_of(answers, "score", Declared(), ReadingNotes())
    assert (found.scale, found.range) == ("binary", (0.0, 1.0))
    assert said == "score is assumed to be 0 or 1, because every score is; to confirm this, add --binary."
    found, said = scale_of(answers, "score", Declared(range=(0, 10)), ReadingNotes())
    assert (found.scale, found.range, said) == ("continuous", (0, 10), "")
    halves = read(csv_file(tmp_path / "h.csv", (*LONG[:-1], ("b", "new", "0.5"))))
    refused = refusal(DataError, lambda: scale_of(halves, "score", Declared(binary=True), ReadingNotes()))
    assert "h.csv:5: item 'b' has the score 0.5 of score; with --binary it is 0 or 1" in refused
    refused = refusal(DataError, lambda: scale_of(answers, "score", Declared(range=(0, 0.5)), ReadingNotes()))
    assert "with --range it is from 0 to 0.5" in refused


def tiny_scores(path: Path, scale: float) -> Path:
    """Write 60 pairs of scores between 0 and 5 times ``scale``, the new ones higher."""
    rng = np.random.default_rng(5)
    rows: list[tuple[object, ...]] = [("item", "arm", "score", "other")]
    for item in range(60):
        before, more = (float(value) for value in rng.uniform(0, 2, 2))
        rows += [(item, "base", before * scale, item % 2), (item, "new", (before + more) * scale, 1)]
    return csv_file(path, rows)


@pytest.mark.parametrize("scale", [1e-10, 1e-13, 1e-300, 5e-324])
def test_a_scale_on_which_every_difference_would_be_a_tie_is_refused(tmp_path: Path, scale: float) -> None:
    path = str(tiny_scores(tmp_path / "t.csv", scale))
    ends = (0.0, 20 * scale)
    declared = AnalysisRequest((path,), primary=("score",), declared=Declared(ends))
    assert "is too narrow to compute with: at least 0.0001" in refusal(UsageError, lambda: analyze(declared))
    if scale > 1e-320:  # below, all scores are equal but for the last bit
        inferred = AnalysisRequest((path,), primary=("score",))
        assert "too little to compute with" in refusal(UsageError, lambda: analyze(inferred))


def test_a_measure_whose_differences_all_tie_is_left_out_unless_it_is_primary(tmp_path: Path) -> None:
    path = str(tiny_scores(tmp_path / "t.csv", 1e-10))
    found = analyze(AnalysisRequest((path,), Columns(scores=("score", "other")), primary=("other",))).document
    assert [each.name for each in found.measures] == ["other"]
    assert any(note.startswith("score is left out: its scores, ") for note in found.notes)


@pytest.mark.parametrize("scale", [1e-4, 1e-5])
def test_the_narrowest_scale_gives_the_figures_of_a_wide_one(tmp_path: Path, scale: float) -> None:
    one, small = (
        analyze(AnalysisRequest((str(tiny_scores(tmp_path / "t.csv", each)),), declared=Declared((0.0, 20 * each))))
        for each in (1.0, scale)
    )
    row, other = (each.document.significance.endpoints[0] for each in (one, small))
    assert row.p == other.p
    assert (row.p or 1) < 0.001
    for figure in ("difference", "ci_low", "ci_high"):
        assert getattr(other, figure) / scale == pytest.approx(getattr(row, figure), abs=0.01)


def test_scores_that_differ_only_by_rounding_are_equal(tmp_path: Path) -> None:
    rows = [("item", "arm", "score"), (1, "base", 0.3), (1, "new", 0.1 + 0.2), (2, "base", 0.3), (2, "new", 0.3)]
    found = analyze(AnalysisRequest((str(csv_file(tmp_path / "t.csv", rows)),)))
    assert found.document.significance.endpoints[0].difference == 0


def test_the_mean_over_groups_equals_a_direct_calculation() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(4), (5, 9, 20, 40))
    cluster = np.arange(74) // 2
    cluster[group == 0] = np.arange(5) + 100
    cluster[(group > 0) & (group < 3)] += 200  # clusters stay within their groups
    difference = rng.normal(0.1 * group, 1.0)
    found = group_means(difference, group, cluster)
    means, variances, freedoms = [], [], []
    for each in range(4):
        inside = difference[group == each]
        codes = cluster[group == each]
        sums = [float((inside[codes == code] - inside.mean()).sum()) for code in dict.fromkeys(codes.tolist())]
        m = len(sums)
        means.append(float(inside.mean()))
        variances.append(m / (m - 1) * sum(x * x for x in sums) / len(inside) ** 2)
        freedoms.append(m - 1)
    assert found.mean == pytest.approx(sum(means) / 4)
    assert found.se == pytest.approx((sum(variances) / 16) ** 0.5)
    expected_df = sum(variances) ** 2 / sum(v * v / m for v, m in zip(variances, freedoms, strict=True))
    assert found.df == pytest.approx(expected_df)
    assert found.n_groups == 4


def test_a_group_of_a_single_item_leaves_the_mean_over_groups_without_an_interval() -> None:
    found = group_means(np.array([1.0, 0.0, 0.5]), np.array([0, 0, 1]), np.arange(3))
    assert (found.mean, found.reason is not None) == (0.5, True)
    assert np.isnan(found.ci_low)


@pytest.mark.parametrize("groups", [2, 10])
def test_the_mean_over_groups_that_share_their_clusters_is_tested_by_the_clusters_means(groups: int) -> None:
    rng = np.random.default_rng(groups)
    cluster = np.tile(np.repeat(np.arange(6), 2), groups)
    difference = rng.normal(size=6)[cluster] + rng.normal(0, 0.5, len(cluster))
    found = group_means(difference, np.repeat(np.arange(groups), 12), cluster)
    expected = stats.ttest_1samp(np.bincount(cluster, weights=difference) / (2 * groups), 0.0)
    assert (found.df, found.p) == pytest.approx((5.0, expected.pvalue))
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_clusters_in_some_groups_have_the_degrees_of_freedom_of_a_direct_calculation() -> None:
    """Two groups share six clusters that move alike, and a third has forty items of its own."""
    rng = np.random.default_rng(9)
    cluster = np.concatenate([np.tile(np.arange(6), 4), np.arange(40) + 10])
    group = np.repeat([0, 1, 2], [12, 12, 40])
    difference = rng.normal(size=50)[cluster] + rng.normal(0, 0.2, 64)
    found = group_means(difference, group, cluster)
    own = []
    for each, clusters in ((0, 6), (1, 6), (2, 40)):
        inside = difference[group == each]
        sums = np.bincount(cluster[group == each], weights=inside - inside.mean())
        own.append(clusters / (clusters - 1) * float((sums**2).sum()) / (3 * len(inside)) ** 2)
    pair = own[0] / 6, own[1] / 6
    correlation = (found.se**2 - sum(own)) / (12 * (pair[0] * pair[1]) ** 0.5)
    assert 0.5 < correlation < 1
    together = sum(pair) + 2 * correlation * (pair[0] * pair[1]) ** 0.5
    spread = own[0] ** 2 / 5 + own[1] ** 2 / 5 + own[2] ** 2 / 39
    spread += 46 / 45 * 6 * (together**2 - pair[0] ** 2 - pair[1] ** 2)
    assert found.df == pytest.approx(found.se**4 / spread)


def test_groups_have_at_most_clusters_minus_one_degrees_of_freedom() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        cluster, group = rng.integers(0, 8, 60), np.arange(60) % 3
        found = group_means(rng.normal(size=8)[cluster] + rng.normal(size=60), group, cluster)
        assert 0 < found.df <= len(np.unique(cluster)) - 1


def test_the_mean_over_groups_needs_as_many_clusters_as_a_test_at_the_level() -> None:
    difference, group = np.array([0.1, 0.2, 0.4, 0.1, 0.3, 0.2]), np.array([0, 0, 1, 1, 2, 2])
    few = group_means(difference, group, np.array([0, 1, 2, 3, 4, 0]))
    assert few.reason == "not estimable with 5 clusters: the interval needs at least 6"
    assert np.isnan([few.se, few.df, few.p, few.ci_low]).all()
    assert group_means(difference, group, np.arange(6)).reason is None
    assert group_means(difference, group, np.arange(6), 0.99).reason is not None
