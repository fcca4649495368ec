"""The imperative shell around the phases: open a run, gather facts, follow the plan, commit receipts."""
