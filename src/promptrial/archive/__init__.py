"""A run kept elsewhere as one thing that can be checked: written, verified, and made a run again."""
