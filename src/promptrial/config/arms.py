"""The arms of a prompt set as the configuration gives them. What a trial makes of them is ``design.trials``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from promptrial.config.strict import Name, Strict, is_none
from promptrial.model.arms import ARM_PATTERN, CONTROL, SECOND_ASK, TREATMENT, ArmName, arms_by_code
from promptrial.model.templates import KINDS, ItemKind

__all__ = ["ArmConfig", "PromptConfig", "PromptSetConfig", "TaskInstructions"]

_OF_PROMPTS: Final = ("path", "sha256", "text", "lost")


class PromptConfig(Strict):
    """A text that is sent: a file, or the text itself. Once read, its text and digest are stored with the path."""

    path: str = Field("", description="a file, relative to this configuration file")
    sha256: str = Field("", description="the SHA-256 of the text; another text is refused")
    text: str = Field("", description="the text itself, in place of a file")
    lost: bool = Field(
        False,
        exclude_if=lambda lost: not lost,
        description="its text was not recorded: the run was made by promptrial's predecessor",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_a_source(self) -> Self:
        if not (self.path or self.text):
            raise ValueError("give the `path` of a file or a `text`")
        return self

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.path or "the text given here"

    def with_text(self, text: str) -> Self:
        """Return the prompt with its text, less the newlines at its end, and the text's SHA-256."""
        text = text.rstrip("\n")
        return self.model_copy(update={"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def _template(holds: str, of: str) -> Any:  # noqa: ANN401 - pydantic's own, so that the field's type is the annotation's
    return Field(None, exclude_if=is_none, description=f"of {of}; holds {holds}")


class TaskInstructions(Strict):
    """The templates of the user message, as files or as text. One that is not given has the packaged text."""

    open_book: PromptConfig | None = _template("`{context}` and `{question}`", "questions with a passage")
    closed_book: PromptConfig | None = _template("`{question}`", "questions without a passage")
    open_book_choices: PromptConfig | None = _template(
        "`{context}`, `{question}` and `{choices}`", "multiple-choice questions with a passage"
    )
    closed_book_choices: PromptConfig | None = _template(
        "`{question}` and `{choices}`", "multiple-choice questions without a passage"
    )

    @property
    def given(self) -> dict[ItemKind, PromptConfig]:
        """The templates that are given, by kind of item."""
        return {kind: each for kind in KINDS if (each := getattr(self, kind)) is not None}


class ArmConfig(Strict):
    """An arm: the path of its system prompt, or a section with these keys."""

    also_takes: ClassVar[tuple[str, ...]] = _OF_PROMPTS[:3]

    prompt: PromptConfig = Field(description="the system prompt; `path` or `text` may be given here instead")
    model: Name | None = Field(
        None, exclude_if=is_none, description="an alias from `models` that answers this arm; that of the trial if null"
    )
    task_instructions: TaskInstructions | None = Field(
        None,
        exclude_if=is_none,
        description="user messages of this arm only; those of the experiment for each one omitted",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_prompt(cls, value: object) -> object:
        if isinstance(value, str):
            return {"prompt": value}
        if not isinstance(value, Mapping):
            return value
        prompt = {key: value[key] for key in _OF_PROMPTS if key in value}
        if "prompt" not in value:
            return {"prompt": prompt, **{key: item for key, item in value.items() if key not in prompt}}
        if prompt:
            raise ValueError("give `prompt`, or `path` or `text` with the arm's other keys, not both")
        return value

    @model_serializer(mode="wrap")
    def _recorded(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        tree: dict[str, Any] = serialize(self)
        prompt: dict[str, Any] = tree.pop("prompt")
        return prompt | tree


def _treatment_name(value: str) -> str:
    if value == CONTROL:
        raise ValueError(f"{value!r} is the name of the control: give the treatment another one")
    if not ARM_PATTERN.fullmatch(value):
        raise ValueError(
            f"{value!r} is not the name of an arm: use a lower-case letter, then at most 31 of lower-case letters, "
            "digits, _"
        )
    return value


Treatments = Annotated[dict[Annotated[ArmName, AfterValidator(_treatment_name)], ArmConfig], Field(min_length=1)]


class PromptSetConfig(Strict):
    """A control and what is compared with it: one `treatment`, or several `treatments`."""

    control: ArmConfig = Field(description="the arm that the others are compared with")
    treatment: ArmConfig | None = Field(None, exclude_if=is_none, description="the arm that is compared with control")
    treatments: Treatments | None = Field(
        None, exclude_if=is_none, description="instead of `treatment`: several of them, each under a name"
    )

    @model_validator(mode="after")
    def _one_way_to_name_them(self) -> Self:
        if (self.treatment is None) == (self.treatments is None):
            raise ValueError("give exactly one of `treatment` and `treatments`")
        arms_by_code(self.arms)
        return self

    @property
    def arms(self) -> dict[ArmName, ArmConfig]:
        """The arms by name, control first."""
        others = {} if self.treatment is None else {TREATMENT: self.treatment}
        return {CONTROL: self.control, **others, **(self.treatments or {})}

    def place(self, name: ArmName) -> tuple[str, ...]:
        """Return the keys that lead to an arm."""
        return (name,) if self.treatments is None or name == CONTROL else ("treatments", name)

    def against_itself(self) -> Self:
        """Return the set with a second ask of its control in place of its treatments."""
        return self.model_copy(update={"treatment": None, "treatments": {SECOND_ASK: self.control}})

    def with_arms(self, arms: Mapping[ArmName, ArmConfig]) -> Self:
        """Return the set with these arms in place of its own of the same names."""
        others = {name: arms[name] for name in self.treatments} if self.treatments is not None else None
        return self.model_copy(
            update={"control": arms[CONTROL], "treatment": arms.get(TREATMENT) if others is None else None}
            | {"treatments": others}
        )
