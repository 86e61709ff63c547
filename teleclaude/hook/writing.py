"""Writing the manifest, so that the next event is stored the quick way."""

from __future__ import annotations

import json
import os
import re
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretBytes, SecretStr

import teleclaude
from teleclaude.config import load_config
from teleclaude.config.model import is_path
from teleclaude.hook import manifest
from teleclaude.hook.recipe import UnsuitableError, make_recipe
from teleclaude.migrations import Migrator
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from teleclaude.backends import BackendSettings, QuickWrite
    from teleclaude.config import Config

_VARIABLE: Final = re.compile(r"\$\{?(\w+)")
_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700


async def write_manifest(config: str | None, environ: Mapping[str, str]) -> bool:
    """Write the manifest for a configuration file, if its backend has a quick way.

    Call it when the database was there and at head: that is not looked at here.

    Args:
        config: The absolute path of the configuration file, `None` where there is none.
        environ: The environment variables.

    Returns:
        Whether there is one now.

    Raises:
        ConfigError: The configuration is not valid (any more).
        OSError: It cannot be written.
    """
    file = None if config is None else manifest.spelled(config)
    # Before it is read, so that what changes meanwhile makes the manifest untrue.
    stamps = [] if file is None else [manifest.stamp(file)]
    loaded = load_config(file, environ=environ)
    if (loaded.path is None) != (file is None):
        return False  # a file was made in between, for which there will be another manifest
    content = await _content(loaded, environ)
    if content is None:
        return False
    _put(
        Path(manifest.place(file)), {**content, "config": file, "files": stamps + content["files"]}
    )
    return True


async def _content(config: Config, environ: Mapping[str, str]) -> dict[str, Any] | None:
    backend, settings = config.backend, config.database
    quick = None if _has_secret(settings) else backend.quick_write(settings)
    if quick is None:
        return None
    engine = backend.create_engine(settings)
    head = Migrator(backend, settings, engine, metadata).head
    try:
        recipe = await make_recipe(backend, engine.dialect, head)
    except UnsuitableError:
        return None
    finally:
        await engine.dispose()
    return {
        "format": manifest.FORMAT,
        "teleclaude": [teleclaude.__version__, teleclaude.__file__],
        "files": [manifest.stamp(path) for path in _modules(quick)],
        "overrides": manifest.overrides(environ),
        "variables": manifest.checksums(_variables(config, environ), environ),
        "directory": str(Path.cwd()) if _depends_on_directory(config, environ) else None,
        **quick._asdict(),
        **recipe._asdict(),
    }


def _has_secret(settings: BackendSettings) -> bool:
    return any(
        isinstance(getattr(settings, name), SecretStr | SecretBytes)
        for name in type(settings).model_fields
    )


def _modules(quick: QuickWrite) -> Iterator[str]:
    """Give the files that are others when another version of the backend is installed."""
    name = quick.entry.partition(":")[0]
    for module in {name.partition(".")[0], name}:
        file = import_module(module).__file__
        if file is not None:
            yield file


def _variables(config: Config, environ: Mapping[str, str]) -> set[str]:
    """Name the variables that the configuration depends on, beside the overrides."""
    own = config.backend.settings_class.environment
    texts = [environ.get(name, "") for name in (*own, *manifest.overrides(environ))]
    if config.path is not None:
        texts.append(config.path.read_text("utf-8"))
    return {"HOME", *own, *(name for text in texts for name in _VARIABLE.findall(text))}


def _depends_on_directory(config: Config, environ: Mapping[str, str]) -> bool:
    """Say whether a path comes from the environment and may be a relative one."""
    model = config.backend.settings_class
    for key in model.model_fields:
        _, word, variable = config.sources[f"database.{key}"].partition("environment ")
        if word and is_path(model, key) and not environ[variable].startswith(("/", "~")):
            return True
    return False


def _put(path: Path, content: Mapping[str, object]) -> None:
    path.parent.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(descriptor, _FILE_MODE)
            json.dump(content, file)
        Path(draft).replace(path)  # nobody ever sees half of it
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
