"""``report.html``: one file with the verdict, plots, tables and every item; it asks nothing of anybody. Pure."""
