"""`load_config`: from the file and the environment to a `Config`."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from teleclaude.backends import load_backend
from teleclaude.config.document import read_document
from teleclaude.config.environment import read_engine_variables, read_environment
from teleclaude.config.files import find_file
from teleclaude.config.given import SECTIONS, combined
from teleclaude.config.model import Config, DaemonSettings
from teleclaude.config.validation import Section
from teleclaude.errors import BackendNotFoundError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from teleclaude.backends import Backend, BackendSettings
    from teleclaude.config.given import Given

DEFAULT_ENGINE: Final = "sqlite"
"""The engine when none is configured: the one whose backend is installed together with the core.
This is the only place in the core that names an engine."""

_ENGINE: Final = "engine"


def load_config(
    path: Path | str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file_only: bool = False,
) -> Config:
    """Load the configuration and the backend of the engine it names.

    Args:
        path: The file to read. Without it, `TELECLAUDE_CONFIG_PATH`, `teleclaude.yml` in the
            working directory and `~/.teleclaude/teleclaude.yml` are tried; no file is fine, too.
        environ: The environment variables; those of this process when left out.
        file_only: Let variables replace `${NAME}` in the file and do nothing else, because those
            that set keys mean another database than that of the file.

    Returns:
        The validated configuration.

    Raises:
        ConfigError: A named file does not exist or a file cannot be read, or something in the file
            or the environment is wrong. All wrong settings are reported at once.
        BackendError: The engine's backend is not installed or cannot be loaded.
    """
    environ = os.environ if environ is None else environ
    settings = {} if file_only else environ
    file = find_file(path, environ)
    given = _given(file, environ, settings)
    engine = given["database"].pop(_ENGINE, None)
    backend = _backend(engine)
    source = engine.source if engine else "default"
    database = Section(
        "database",
        backend.settings_class,
        _database_values(given["database"], backend.settings_class, settings),
        owner=f"the engine {backend.engine!r} ({source})",
        other_keys=[_ENGINE],
    )
    daemon = Section("daemon", DaemonSettings, given["daemon"], owner="the daemon")
    problems: list[ConfigError] = []
    database_settings = database.validate(file, problems)
    daemon_settings = daemon.validate(file, problems)
    if database_settings is None or daemon_settings is None:
        raise combined(problems)
    sources = {f"database.{_ENGINE}": source, **database.sources(), **daemon.sources()}
    return Config(file, backend, database_settings, daemon_settings, MappingProxyType(sources))


def _given(
    file: Path | None, environ: Mapping[str, str], settings: Mapping[str, str]
) -> dict[str, dict[str, Given]]:
    problems: list[ConfigError] = []
    in_file = read_document(file, environ, problems) if file else {}
    in_environment = read_environment(settings, problems)
    if problems:
        raise combined(problems)
    return {section: in_file.get(section, {}) | in_environment[section] for section in SECTIONS}


def _backend(engine: Given | None) -> Backend:
    if engine is None:
        return load_backend(DEFAULT_ENGINE)
    key = f"database.{_ENGINE}"
    if not isinstance(engine.value, str):
        message = "expected the name of an engine."
        raise ConfigError(message, file=engine.file, line=engine.line, key=key)
    try:
        return load_backend(engine.value)
    except BackendNotFoundError as error:
        place = f"{engine.file}:{engine.line}" if engine.file else engine.source
        message = f"{place}: {key}: {error.message}"
        raise BackendNotFoundError(message, hint=error.hint) from error


def _database_values(
    given: Mapping[str, Given], settings_class: type[BackendSettings], environ: Mapping[str, str]
) -> dict[str, Given]:
    values = {**given}
    for key, value in read_engine_variables(environ, settings_class.environment).items():
        if key not in values or values[key].rank < value.rank:
            values[key] = value
    # Of two keys that exclude each other, the one from the weaker source gives way as if it were
    # not there; from the same source, the settings class calls them a contradiction.
    for group in settings_class.alternatives:
        ranks = {key: values[key].rank for key in group if key in values}
        for key, rank in ranks.items():
            if rank < max(ranks.values()):
                del values[key]
    return values
