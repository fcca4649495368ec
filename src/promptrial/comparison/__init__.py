"""Two runs side by side: may they be compared, what differs between one arm of each, and does B pass its gates."""
