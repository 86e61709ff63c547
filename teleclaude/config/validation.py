"""Validating a section with its settings class, and saying in people's words what is wrong.

Values of secrets are never quoted, whatever is wrong with them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from teleclaude.config.environment import variable
from teleclaude.config.given import suggestion
from teleclaude.config.model import MASK, is_choice, is_path, is_secret
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from teleclaude.config.given import Given, Value

ModelT = TypeVar("ModelT", bound=BaseModel)

_EXPECTED: Final = "Input should be "
_MUST_BE: Final = "must be "
# What pydantic says about how it tried, which is no news to the person who wrote the value.
_ATTEMPT: Final = re.compile(r", (?:unable to|got) .*")
_NOT_VALID: Final = re.compile(r"^Input is not a (valid \w+).*")
_OWN_WORDS: Final = re.compile(r"^(?:Value error|Assertion failed), ")
# Absolute, or for the settings class to expand (~, $VAR) or to refuse (file:, :memory:).
_NOT_RELATIVE: Final = re.compile(r"[/~$:]|\w+:")
_SHORTEST_MASKED: Final = 4  # a shorter text is part of ordinary words
# What follows the scheme of a URL, where people put passwords.
_CREDENTIALS: Final = re.compile(r"""(?<=://)[^\s'"]+""")
_LONGEST_QUOTE: Final = 60


class Section(Generic[ModelT]):
    """One section of the configuration while it is being validated."""

    def __init__(
        self,
        name: str,
        model: type[ModelT],
        given: Mapping[str, Given],
        *,
        owner: str,
        other_keys: Sequence[str] = (),
    ) -> None:
        """Take what was given for a section.

        Args:
            name: The section's name.
            model: The settings class.
            given: Key to what was given for it.
            owner: Whose settings these are, for messages.
            other_keys: Keys of the section that are not the settings class's, for suggestions.
        """
        self.given = given
        self._name = name
        self._model = model
        self._owner = owner
        self._keys = [*other_keys, *model.model_fields]

    def validate(self, file: Path | None, problems: list[ConfigError]) -> ModelT | None:
        """Make the settings.

        Args:
            file: The configuration file, for problems that belong to no line.
            problems: Collects what is wrong.

        Returns:
            The settings, or `None` when there are problems.
        """
        known = {key: given for key, given in self.given.items() if key in self._model.model_fields}
        found = [self._unknown(key, self.given[key]) for key in self.given if key not in known]
        found += [self._not_text(key, given) for key, given in known.items() if not _is_text(given)]
        settings: ModelT | None = None
        try:
            settings = self._model.model_validate(
                {key: self._value(key, given) for key, given in known.items()}
            )
        except ValidationError as error:
            by_key: dict[str, list[ErrorDetails]] = {}
            for details in error.errors(include_url=False, include_input=False):
                key = str(details["loc"][0]) if details["loc"] else ""
                by_key.setdefault(key, []).append(details)
            found += [self._invalid(key, details, file) for key, details in by_key.items()]
        problems += found
        return None if found else settings

    def sources(self) -> dict[str, str]:
        """Say where each value came from, by dotted key."""
        return {
            f"{self._name}.{key}": self.given[key].source if key in self.given else "default"
            for key in self._model.model_fields
        }

    def _value(self, key: str, given: Given) -> Value:
        """Take relative paths from where they were written: beside the file that names them."""
        value = given.value
        if not isinstance(value, str) or not is_path(self._model, key):
            return value
        if not value:
            return None  # and not the working directory, which is what Path("") means
        if given.file is None or _NOT_RELATIVE.match(value) or is_choice(self._model, key, value):
            return value
        return str(given.file.parent / value)

    def _unknown(self, key: str, given: Given) -> ConfigError:
        close = suggestion(key, self._keys)
        if given.variable:
            message = f"{given.variable} sets it, but {self._owner} has no such setting."
            close = close and variable(self._name, close)
        else:
            message = f"{self._owner} has no such setting."
        hint = f"Did you mean {close!r}?" if close else f"There are: {', '.join(self._keys)}."
        return ConfigError(
            message, file=given.file, line=given.line, key=f"{self._name}.{key}", hint=hint
        )

    def _not_text(self, key: str, given: Given) -> ConfigError:
        message = (
            f"must be text, but {given.variable or 'it'} contains a NUL or an incomplete character."
        )
        return ConfigError(message, file=given.file, line=given.line, key=f"{self._name}.{key}")

    def _invalid(self, key: str, details: Sequence[ErrorDetails], file: Path | None) -> ConfigError:
        given = self.given.get(key)
        message = _message(details)
        if not key or _OWN_WORDS.match(details[0]["msg"]):
            return self._judged(message, key, given, file)
        dotted = f"{self._name}.{key}"
        if given is None:
            advice = f"Set it in the file, or {variable(self._name, key)} in the environment."
            return ConfigError(message, file=file, key=dotted, hint=advice)
        message = f"{message.removesuffix('.')}, but {self._quoted(key, given)}."
        hint = _choice(message, given.value)
        return ConfigError(message, file=given.file, line=given.line, key=dotted, hint=hint)

    def _judged(
        self, message: str, key: str, given: Given | None, file: Path | None
    ) -> ConfigError:
        """Pass on what the settings class says in its own words, with the places it talks about."""
        words = set(re.findall(r"\w+", message))
        involved = {
            other: place
            for other, place in self.given.items()
            if (place.variable if other == key else other in words)
        }
        message = _CREDENTIALS.sub(MASK, self._without_secrets(message))
        if involved:
            places = "; ".join(f"{other}: {place.source}" for other, place in involved.items())
            message = f"{message.removesuffix('.')} ({places})."
        if given is not None:
            file, line = given.file, given.line
        else:
            line = max((place.line for place in involved.values() if place.line), default=None)
        dotted = f"{self._name}.{key}" if key else self._name
        return ConfigError(message, file=file, line=line, key=dotted)

    def _quoted(self, key: str, given: Given) -> str:
        it = given.variable or "it"
        if given.value is None:
            return f"{it} is empty"
        if is_secret(self._model, key):
            return f"{it} is something else (not shown, because it is a secret)"
        text = repr(given.value)
        if "://" in text and "@" in text:
            return f"{it} is a URL (not shown, because it may contain a password)"
        if len(text) > _LONGEST_QUOTE:
            return f"{it} is {text[:_LONGEST_QUOTE]}..."
        return f"{it} is {text}"

    def _without_secrets(self, message: str) -> str:
        for key in self._model.model_fields:
            if key in self.given and is_secret(self._model, key):
                value = self.given[key].value
                for text in value if isinstance(value, list) else [value]:
                    if text and len(text) >= _SHORTEST_MASKED:
                        message = message.replace(text, MASK)
        return message


def _is_text(given: Given) -> bool:
    # Bytes of an environment variable that are not UTF-8 arrive as lone surrogates.
    return re.search("[\0\ud800-\udfff]", "".join(map(str, given.value or ""))) is None


def _message(details: Sequence[ErrorDetails]) -> str:
    if details[0]["type"] == "missing":
        return f"{_MUST_BE}set."
    texts = [_NOT_VALID.sub(_EXPECTED + r"a \1", _ATTEMPT.sub("", one["msg"])) for one in details]
    if all(text.startswith(_EXPECTED) for text in texts):
        # One for each type the value could have had.
        expected = dict.fromkeys(text.removeprefix(_EXPECTED) for text in texts)
        return f"{_MUST_BE}{' or '.join(expected)}."
    text = _OWN_WORDS.sub("", texts[0])
    return text if text.endswith(".") else f"{text}."


def _choice(message: str, value: Value) -> str | None:
    choices = re.findall(r"'([^']*)'", message.partition(", but ")[0])
    close = suggestion(value, choices) if isinstance(value, str) else None
    return f"Did you mean {close!r}?" if close else None
