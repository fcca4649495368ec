"""What is done: the nine phases, one module each."""
