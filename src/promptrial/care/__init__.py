"""What looks after runs: status, the list, the doctor and the smoke test. The engine does the work."""
