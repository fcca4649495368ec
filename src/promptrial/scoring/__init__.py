"""How good an answer is: pure functions from an answer and its item to scores."""
