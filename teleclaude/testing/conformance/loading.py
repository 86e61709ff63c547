"""How the backend is found, and what its settings accept and hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from teleclaude.backends import REQUIRED_HOOKS, LogicalType, installed_backends, load_backend
from teleclaude.backends.backend import column_type
from teleclaude.config import load_config
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from teleclaude.backends import Backend
    from teleclaude.config import Config
    from teleclaude.testing.databases import Section

SECRET = "correct-horse-battery-staple"


def test_the_backend_is_installed(backend: Backend) -> None:
    """It is found by the name of its engine, and says which distribution it came from."""
    assert backend.engine in [found.engine for found in installed_backends()]
    loaded = load_backend(backend.engine)
    assert loaded.distribution
    assert loaded.version


@pytest.mark.parametrize("hook", REQUIRED_HOOKS)
def test_required_hooks_are_there(backend: Backend, hook: str) -> None:
    """Without one of these there would be no backend."""
    assert backend.implements(hook)


def test_the_settings_say_where_the_database_is(config: Config) -> None:
    """The location is for people: some text on one line."""
    assert config.database.location.strip()
    assert "\n" not in config.database.location


def test_settings_cannot_be_changed(config: Config) -> None:
    """Whoever got the settings can rely on them."""
    field = next(iter(type(config.database).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config.database, field, "x")


def test_values_may_arrive_as_text(config: Config, database_settings: Section) -> None:
    """The configuration hands every plain value over as text, as the environment does."""
    given = {
        key: value if isinstance(value, list) else str(value)
        for key, value in database_settings.items()
        if key != "engine" and value is not None
    }
    assert type(config.database).model_validate(given) == config.database


def test_an_unknown_key_is_refused(
    backend: Backend, database_settings: Section, tmp_path: Path
) -> None:
    """A key that the settings do not have is named, with its line."""
    file = tmp_path / "teleclaude.yml"
    file.write_text(yaml.safe_dump({"database": {**database_settings, "no_such_key": 1}}))
    with pytest.raises(ConfigError, match=r"teleclaude\.yml.*no_such_key"):
        load_config(file, environ={})
    assert "no_such_key" not in backend.settings_class.model_fields


def test_secrets_are_not_shown(config: Config) -> None:
    """A secret appears neither in the location nor when the settings are printed."""
    settings = type(config.database)
    secrets = [name for name, field in settings.model_fields.items() if _is_secret(field)]
    shown = settings.model_construct(
        **{**dict(config.database), **dict.fromkeys(secrets, SecretStr(SECRET))}
    )
    for text in (shown.location, repr(shown), str(shown), shown.model_dump_json()):
        assert SECRET not in text


def _is_secret(field: Any) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def test_column_types_are_for_logical_types(config: Config) -> None:
    """Whatever types the backend has a wish for, its dialect can render them."""
    dialect = config.backend.create_engine(config.database).dialect
    for kind in LogicalType:
        chosen = column_type(dialect, kind)
        assert chosen is None or chosen.compile(dialect=dialect)
