"""The experiment's configuration: YAML, environment and flags merged once into one checked, hashed value."""
