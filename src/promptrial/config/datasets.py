"""The section `datasets` of the configuration. Reading the files that it names is ``promptrial.datasets``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from promptrial.config.strict import Positive, Strict, Words, is_none, registered
from promptrial.errors import ConfigError
from promptrial.model import ids

__all__ = ["ColumnsConfig", "DatasetConfig", "DatasetName", "HubConfig", "RulesName", "too_long"]


def _dataset_name(value: str) -> str:
    if not ids.DATASET_PATTERN.fullmatch(value):
        raise ValueError(
            f"dataset name {value!r}: a lower-case letter, then at most 19 of lower-case letters, digits, _"
        )
    if ids.escaped_length(value) > ids.MAX_DATASET_LENGTH:
        raise ValueError(too_long(value, ids.MAX_DATASET_LENGTH))
    return value


def too_long(name: str, longest: int) -> str:
    """Return the problem of a name that has more than ``longest`` characters."""
    return f"dataset name {name!r}: may have at most {longest} characters, each _ counting as two"


def _format_name(value: str) -> str:
    return registered("dataset format", value)


def encoding_name(value: str) -> str:
    """Return the name of an encoding of text.

    Raises
    ------
    ValueError
        If it is not one.
    """
    from promptrial.documents.codecs import text_codec  # looks up every codec that there is

    text_codec(value)
    return value


DatasetName = Annotated[str, AfterValidator(_dataset_name)]
FormatName = Annotated[str, AfterValidator(_format_name)]
Encoding = Annotated[str, AfterValidator(encoding_name)]
_Several = Annotated[
    Annotated[Words, Tag("column")] | Annotated[tuple[Words, ...], Field(min_length=1), Tag("columns")],
    Discriminator(lambda value: "columns" if isinstance(value, list | tuple) else "column"),
]


class HubConfig(Strict):
    """A data set on the hub, read as Parquet."""

    repo: str = Field(description="for example rajpurkar/squad_v2")
    config: str | None = Field(None, description="the repository's configuration, where it has several")
    split: str = "validation"
    revision: str | None = Field(
        None, description="commit or branch; main if null. The run keeps using the same commit"
    )


class ColumnsConfig(Strict):
    """Which column holds what. A column that is not named here is found by its well-known names."""

    question: Words | None = Field(None, exclude_if=is_none, description="the question")
    answers: _Several | None = Field(
        None, exclude_if=is_none, description="the accepted answers; a list of columns takes those of each"
    )
    id: Words | None = Field(None, exclude_if=is_none, description="the id; derived from the content if there is none")
    context: Words | None = Field(None, exclude_if=is_none, description="the passage that the question is about")
    cluster: Words | None = Field(
        None, exclude_if=is_none, description="rows with the same text are treated as dependent"
    )
    unanswerable: Words | None = Field(None, exclude_if=is_none, description="whether the question has no answer")
    choices: _Several | None = Field(
        None, exclude_if=is_none, description="the choices, a list in one column or one in each of several columns"
    )
    category: Words | None = Field(None, exclude_if=is_none, description="a group of items, such as a topic")
    messages: Words | None = Field(
        None, exclude_if=is_none, description="the turns of a conversation before the question"
    )

    @property
    def given(self) -> dict[str, str | tuple[str, ...]]:
        """The columns that are named, by what they hold."""
        return {role: column for role in type(self).model_fields if (column := getattr(self, role)) is not None}


RulesName = Literal["squad_v2", "squad_v1", "nq_open", "triviaqa", "exact", "letters"]
"""The keys of ``scoring.normalize.RULES``; a test holds the two together."""


class DatasetConfig(Strict):
    """A data set under its name (the key in ``datasets``): the path of its file, or a section with these keys."""

    format: FormatName | None = Field(None, description="the format of the file; detected from its content if null")
    path: str | None = Field(None, description="a local file, relative to this configuration file")
    hub: HubConfig | None = None
    columns: ColumnsConfig | None = Field(
        None, exclude_if=is_none, description="which column holds what; detected from their names if null"
    )
    encoding: Encoding | None = Field(
        None, exclude_if=is_none, description="the encoding of a text file; UTF-8, or UTF-16 with its mark, if null"
    )
    sheet: Words | None = Field(
        None,
        exclude_if=is_none,
        description="the sheet of an Excel workbook; if null, the first visible one with rows",
    )
    separator: Words | None = Field(
        None, exclude_if=is_none, description="the separator between several answers in one cell, for example `;`"
    )
    first_choice: Literal[0, 1] | None = Field(
        None,
        exclude_if=is_none,
        description=(
            "the number of the first choice, where answers are numbers of choices; detected from the file if null"
        ),
    )
    size: Positive | None = Field(None, description="how many items to sample; all of them if null")
    rules: RulesName | None = Field(
        None,
        exclude_if=is_none,
        description="the evaluation that exact match and token F1 follow; that of the format if null",
    )
    tokens: Literal["words", "characters"] | None = Field(
        None,
        exclude_if=is_none,
        description=(
            "what token F1 counts in scripts without spaces; if null, characters in custom sets without `rules` and "
            "under the rules `letters`, otherwise words"
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give exactly one of `path` and `hub`")
        return self

    @property
    def known_format(self) -> str:
        """The format, as it was given or recognised.

        Raises
        ------
        ConfigError
            If it was not.
        """
        if self.format is None:
            raise ConfigError(
                f"datasets: the format of {self.path or 'the data set on the hub'} is not known",
                hint="give its `format` in the configuration",
            )
        return self.format
