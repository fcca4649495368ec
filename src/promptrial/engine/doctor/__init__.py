"""What is wrong with a run's folder, and the command that mends it: from files alone, changing none of them."""
