"""A local stand-in for a hosted batch API, over real HTTP, with faults on demand. Nothing of the program needs it."""
