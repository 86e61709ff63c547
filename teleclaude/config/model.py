"""What a loaded configuration is: `Config` and the daemon's settings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from teleclaude.backends import Backend, BackendSettings

MASK: Final = "********"
"""What is shown in the place of a secret."""


class DaemonSettings(BaseModel):
    """The `daemon:` section."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    startup_timeout: float = Field(default=30, ge=0, allow_inf_nan=False)
    """Seconds to wait at start-up for a database server that is not up yet."""

    maintenance_interval: float = Field(default=3600, gt=0, allow_inf_nan=False)
    """Seconds between two rounds of the engine's housekeeping."""


class EffectiveSetting(NamedTuple):
    """One setting as it is in force.

    Attributes:
        key: The dotted key, such as `database.port`.
        value: The value as JSON knows it; `MASK` in the place of a secret.
        source: Where it came from, for people.
    """

    key: str
    value: object
    source: str


@dataclass(frozen=True, slots=True)
class Config:
    """A validated configuration.

    Attributes:
        path: The file it came from, absolute; `None` when there is no file.
        backend: The loaded backend of the configured engine.
        database: The engine's part of the `database:` section, validated by that backend.
        daemon: The `daemon:` section.
        sources: Where each value came from, for people: dotted key to `default`,
            `teleclaude.yml:4` or `environment TELECLAUDE_DATABASE__PORT`.
    """

    path: Path | None
    backend: Backend
    database: BackendSettings
    daemon: DaemonSettings
    sources: Mapping[str, str]

    def effective(self) -> Sequence[EffectiveSetting]:
        """List every setting with its value and source, secrets masked."""
        values = {
            "database.engine": self.backend.engine,
            **_shown("database", self.database),
            **_shown("daemon", self.daemon),
        }
        return [EffectiveSetting(key, value, self.sources[key]) for key, value in values.items()]


def is_secret(model: type[BaseModel], key: str) -> bool:
    """Say whether a field's value must never be shown."""
    return _has_type(model, key, (SecretStr, SecretBytes))


def is_path(model: type[BaseModel], key: str) -> bool:
    """Say whether a field's value is the path of a file or directory."""
    return _has_type(model, key, (Path,))


def is_choice(model: type[BaseModel], key: str, value: str) -> bool:
    """Say whether a value is one of the words a field accepts literally."""
    return value in _parts(model.model_fields[key].annotation)


def _has_type(model: type[BaseModel], key: str, wanted: tuple[type, ...]) -> bool:
    parts = _parts(model.model_fields[key].annotation)
    return any(isinstance(part, type) and issubclass(part, wanted) for part in parts)


def _parts(annotation: object) -> Iterator[object]:
    """Give what a type is put together from: members of unions, items, the words of a literal."""
    yield annotation
    for argument in get_args(annotation):
        yield from _parts(argument)


def _shown(section: str, settings: BaseModel) -> dict[str, object]:
    values: dict[str, object] = settings.model_dump(mode="json")
    model = type(settings)
    return {
        f"{section}.{key}": MASK if value and is_secret(model, key) else value
        for key, value in values.items()
    }
