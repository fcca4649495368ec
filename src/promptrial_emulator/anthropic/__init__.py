"""The Anthropic API of the emulator: message batches, live messages and models."""
