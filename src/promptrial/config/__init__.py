"""What the user configured: YAML, environment and flags, merged once into one checked and hashed value."""
