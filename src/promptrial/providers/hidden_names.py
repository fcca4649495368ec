"""Names of models that came from the environment, kept out of whatever is said or written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from promptrial.errors import PromptrialError
from promptrial.model import ModelSpec
from promptrial.providers.http_outcomes import RejectedError

__all__ = ["HiddenNames"]


class HiddenNames:
    """Names of models that came from the environment: whatever is said names the model as the configuration does.

    Vendors repeat a name in their own words, so that it is looked for in these, too.

    Parameters
    ----------
    own : str, optional
        What the vendor puts before the name of a model of its own.
    """

    def __init__(self, own: str = "") -> None:
        self._own = own
        self._shown: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """Return a text without these names."""
        for name in sorted(self._shown, key=len, reverse=True):
            shown = self._shown[name].replace("\\", "\\\\")  # as a pattern's replacement is written
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", shown, text)
        return text

    @contextmanager
    def kept(self, model: ModelSpec) -> Iterator[None]:
        """Keep a model's name, from now on, out of what is said, and out of the errors of this block."""
        self.keep(model)
        try:
            yield
        except PromptrialError as error:
            self._hide(error)
            raise

    def keep(self, model: ModelSpec) -> None:
        """Keep a model's name, from now on, out of what is said."""
        if model.written_id is not None:
            last = model.id.rpartition("/")[2]
            self._shown |= {name: model.shown_id for name in (model.id, f"{self._own}{model.id}", last) if name}

    def _hide(self, error: BaseException | None) -> None:
        while isinstance(error, PromptrialError):
            error.message = self(error.message)
            error.args = (error.message,)
            if isinstance(error, RejectedError):
                error.detail = self(error.detail)
            error = error.__cause__ or error.__context__
