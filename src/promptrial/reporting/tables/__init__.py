"""From the values of a trial to tables of plain text: pure functions that compute no statistic."""

from promptrial.reporting.cells import Table
from promptrial.reporting.tables.aggregate import PrimaryKey, aggregate_table, primary_p_values, trials_table
from promptrial.reporting.tables.arms import many_arms_tables, ranking_tables
from promptrial.reporting.tables.context import (
    attrition_table,
    bounds_table,
    datasets_table,
    design_table,
    older_table,
    pairs_table,
    provenance_table,
    questions_table,
)
from promptrial.reporting.tables.costs import costs_table
from promptrial.reporting.tables.effects import (
    equivalence_table,
    exploratory_endpoints,
    exploratory_table,
    interaction_table,
    overall_endpoints,
    primary_endpoints,
    primary_table,
    subgroup_table,
)
from promptrial.reporting.tables.evidence import (
    arms_table,
    binary_table,
    effect_sizes_table,
    methods_table,
    precision_table,
    selective_table,
)
from promptrial.reporting.tables.judges import judges_table
from promptrial.reporting.tables.latency import latency_table
from promptrial.reporting.tables.looks import looks_table
from promptrial.reporting.tables.missing import missing_rule_table

__all__ = [
    "PrimaryKey",
    "Table",
    "aggregate_table",
    "arms_table",
    "attrition_table",
    "binary_table",
    "bounds_table",
    "costs_table",
    "datasets_table",
    "design_table",
    "effect_sizes_table",
    "equivalence_table",
    "exploratory_endpoints",
    "exploratory_table",
    "interaction_table",
    "judges_table",
    "latency_table",
    "looks_table",
    "many_arms_tables",
    "methods_table",
    "missing_rule_table",
    "older_table",
    "overall_endpoints",
    "pairs_table",
    "precision_table",
    "primary_endpoints",
    "primary_p_values",
    "primary_table",
    "provenance_table",
    "questions_table",
    "ranking_tables",
    "selective_table",
    "subgroup_table",
    "trials_table",
]
