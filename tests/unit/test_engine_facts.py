"""A phase depends on the content of other files, not only on which files exist."""

from __future__ import annotations

from tests.support.project import Project


def test_new_scores_rerun_the_statistics_even_with_unchanged_settings(project: Project) -> None:
    assert project.run().code == 0
    statistics = project.trial_folder() / "results/significance.json"
    before = statistics.read_bytes()
    project.write_config({"scoring": {"extra_refusals": ["Paris"]}})
    assert project.run("--resume", "--force", "--to_step", "score").code == 0
    assert statistics.read_bytes() == before
    assert project.run("--resume").code == 0
    assert statistics.read_bytes() != before
