"""Pure functions from an answer and its item to scores."""
