"""What is wrong with a run's folder, and the command that fixes it. Only reads files."""
