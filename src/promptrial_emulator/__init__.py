"""A local emulator of hosted batch APIs: real HTTP, faults on demand. promptrial imports it only to start a dry run."""
