"""The loaded configuration as an object."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

import teleclaude

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude.config import Config

    Load = Callable[..., Config]

SECRET = "database:\n  engine: fake\n  password: hunter2\n"


def test_it_is_frozen(load: Load) -> None:
    """Nobody changes the configuration after it was validated."""
    config = load()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.path = None  # type: ignore[misc]
    with pytest.raises(ValidationError):
        config.daemon.startup_timeout = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.sources["daemon.startup_timeout"] = "me"  # type: ignore[index]


def test_secrets_are_in_neither_repr_nor_list(load: Load) -> None:
    """A set secret is shown as a mask of fixed length, an unset one as nothing."""
    config = load(SECRET)
    assert "hunter2" not in repr(config)
    shown = {setting.key: setting for setting in config.effective()}
    assert shown["database.password"].value == "********"
    assert shown["database.password"].source == "teleclaude.yml:3"
    unset = {setting.key: setting.value for setting in load("database: {engine: fake}").effective()}
    assert unset["database.password"] is None


def test_the_list_has_every_setting_with_its_source(load: Load) -> None:
    """The engine comes first, and every key of both sections is there once."""
    config = load(SECRET)
    keys = [setting.key for setting in config.effective()]
    assert keys[0] == "database.engine"
    assert sorted(keys) == sorted(config.sources)
    assert {"database.tags", "daemon.maintenance_interval"} <= set(keys)


def test_it_is_public(load: Load) -> None:
    """Users import it from the top-level package."""
    assert isinstance(load(), teleclaude.Config)
    assert teleclaude.load_config is not None
