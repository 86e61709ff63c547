"""Taking the `database:` section out of one configuration file and putting it into another.

The files stay what people wrote: lines are moved, and nothing is parsed and written anew, so that
comments, quotes and `${NAME}` survive.
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import yaml

from teleclaude.config.document import compose
from teleclaude.config.files import FILE_NAME, read_text
from teleclaude.config.loading import load_config
from teleclaude.config.model import MASK, is_path, is_secret
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teleclaude.config.model import Config

_SECTION: Final = "database"
_ENGINE: Final = "engine"
_HOME: Final = Path("~/.teleclaude", FILE_NAME)
_HINT: Final = "Write the section by hand; nothing was changed."


class Switched(NamedTuple):
    """What `switch` did.

    Attributes:
        file: The file that names the other database now.
        before: What the file was, under another name; `None` when there was none.
    """

    file: Path
    before: Path | None


def shown_section(config: Config) -> str:
    """Give the `database:` section of a configuration's file, with secrets hidden.

    Args:
        config: The configuration; without a file, it is the section that the defaults would make.
    """
    if config.path is None:
        return f"{_SECTION}:\n  {_ENGINE}: {config.backend.engine}\n"
    return _section(config, config.path.parent, hide=True)


def require_switchable(config: Config) -> None:
    """Make sure that a configuration's file decides which database is used.

    Args:
        config: The configuration in force.

    Raises:
        ConfigError: Environment variables do.
    """
    found = [
        source.removeprefix("environment ")
        for key, source in config.sources.items()
        if key.startswith(f"{_SECTION}.") and source.startswith("environment ")
    ]
    if found:
        message = f"The database is set in the environment: {', '.join(sorted(found))}."
        raise ConfigError(message, hint="Without those variables the file can be switched.")


def switch(config: Config, wanted: Config) -> Switched:
    """Let a configuration's file name another database.

    Everything outside its `database:` section stays as it is, and so do the comment lines in it.

    Args:
        config: The configuration to change. Without a file, one is made in the home directory.
        wanted: The configuration whose `database:` section it gets.

    Returns:
        The file, and what it was before.

    Raises:
        ConfigError: The file is of a form that cannot be changed like that, or cannot be written.
    """
    file = config.path or _HOME.expanduser()
    old = read_text(file) if config.path else ""
    new = _replaced(file, old, _section(wanted, file.parent, hide=False))
    try:
        return _write(file, new, wanted, is_new=config.path is None)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"cannot be written: {reason}."
        raise ConfigError(message, file=file, hint=_HINT) from error


def _write(file: Path, text: str, wanted: Config, *, is_new: bool) -> Switched:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = file.resolve()  # a link stays one
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    draft = file.with_name(f"{file.name}.new-{stamp}")
    mode = 0o600 if is_new else file.stat().st_mode & 0o777
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            os.fchmod(descriptor, mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if load_config(draft, file_only=True).database != wanted.database:
            raise ConfigError("the section cannot be moved.", file=file, hint=_HINT)
        before = None if is_new else file.with_name(f"{file.name}.before-{stamp}")
        if before is not None:
            shutil.copy2(file, before)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return Switched(file, before)


def _replaced(file: Path, text: str, section: str) -> str:
    found = _find(file, text)
    if found is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}{section}"
    lines = text.splitlines(keepends=True)
    first, last = found.lines
    comments = [line for line in lines[first + 1 : last + 1] if line.lstrip().startswith("#")]
    heading, *settings = section.splitlines(keepends=True)
    return "".join([*lines[:first], heading, *comments, *settings, *lines[last + 1 :]])


class _Found(NamedTuple):
    lines: tuple[int, int]
    settings: list[tuple[str, yaml.Node]]


def _find(file: Path, text: str) -> _Found | None:
    root = compose(file, text)
    if not isinstance(root, yaml.MappingNode):
        return None
    if root.flow_style:
        raise ConfigError("is written in braces.", file=file, hint=_HINT)
    for key, value in root.value:
        if key.value == _SECTION:
            nested = value.value if isinstance(value, yaml.MappingNode) else []
            settings = [(setting.value, node) for setting, node in nested]
            return _Found((key.start_mark.line, _last_line(key, value)), settings)
    return None


def _last_line(key: yaml.Node, value: yaml.Node) -> int:
    # A block ends, to the parser, where the next one begins: after comments that belong to that.
    if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
        return _last_line(*value.value[-1])
    if isinstance(value, yaml.SequenceNode) and value.value and not value.flow_style:
        return _last_line(value.value[-1], value.value[-1])
    mark = value.end_mark
    ends_before = mark.column == 0 and mark.line > key.start_mark.line
    return int(mark.line) - ends_before


def _section(config: Config, directory: Path, *, hide: bool) -> str:
    """Give the section of a file as it means the same in a file of another directory."""
    if config.path is None:
        return shown_section(config)
    text = read_text(config.path)
    found = _find(config.path, text)
    if found is None:
        return f"{_SECTION}:\n  {_ENGINE}: {config.backend.engine}\n"
    for start, end, new in sorted(_changes(config, found, directory, hide=hide), reverse=True):
        text = text[:start] + new + text[end:]
    first, last = found.lines
    section = "".join(text.splitlines(keepends=True)[first : last + 1])
    return section if section.endswith("\n") else f"{section}\n"


def _changes(
    config: Config, found: _Found, directory: Path, *, hide: bool
) -> Iterator[tuple[int, int, str]]:
    settings = config.backend.settings_class
    moved = config.path is not None and config.path.parent.resolve() != directory.resolve()
    for name, node in found.settings:
        if name not in settings.model_fields or not isinstance(node, yaml.ScalarNode):
            continue
        new = None
        if hide and is_secret(settings, name) and "${" not in node.value:
            new = MASK
        elif moved and is_path(settings, name) and _is_relative(node.value):
            new = json.dumps(str(getattr(config.database, name)), ensure_ascii=False)
        if new is not None:
            yield node.start_mark.index, node.end_mark.index, new


def _is_relative(path: str) -> bool:
    return not path.startswith(("/", "~", "$"))
