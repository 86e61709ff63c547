"""`BackendSettings`, the base class of every backend's part of the `database:` section."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class BackendSettings(BaseModel):
    """What a backend needs to know to reach its database.

    A backend subclasses this with one pydantic field per key of the `database:` section (without
    `engine`, which the core reads). The core validates the section with it, so unknown keys and
    wrong types are reported with file and line. Secrets are `pydantic.SecretStr` fields: their
    values then appear in no `repr`, log or `teleclaude config show`.

    Attributes:
        environment: Environment variables with a name of their own that set a field, beside the
            `TELECLAUDE_DATABASE__<KEY>` every field has: variable to field name. They win over the
            configuration file and lose against `TELECLAUDE_DATABASE__<KEY>`.
        alternatives: Groups of fields of which only one can be in force, such as a password and a
            password file. When they come from sources of different strength, only those of the
            strongest source reach the class; from one source, the class refuses the contradiction.

    Whatever their source, values arrive as text (`None` for an empty one, a list for a YAML list),
    so fields must accept text; pydantic's lax mode does. A validator's `ValueError` is shown to
    people as it is, after file, line and key: it must be a whole sentence. A relative path in the
    file is made absolute (beside the file) before validation where the field's type is `Path`.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    environment: ClassVar[Mapping[str, str]] = {}
    alternatives: ClassVar[Sequence[Sequence[str]]] = ()

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the database is, for people: a path or `host:port/name`. Never a secret."""
