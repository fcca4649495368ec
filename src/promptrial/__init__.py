"""promptrial: controlled A/B trials of system prompts on language models.

Only the version lives here, so that ``import promptrial`` costs nothing.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
