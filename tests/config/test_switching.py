"""Moving the `database:` section of one file into another."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from teleclaude.config import load_config, require_switchable, shown_section, switch
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from teleclaude.config import Config

OLD = """\
# TeleClaude on this laptop

database:  # small
  # the file of last year
  engine: fake
  path: old.db   # beside this file

# upkeep
daemon:
  startup_timeout: 5  # impatient
"""

NEW = """\
daemon:
  startup_timeout: 60
database:
  # the big one
  engine: fake
  path: 'new.db'
  port: ${PORT:-7}

# the end
"""


def write(file: Path, text: str) -> Config:
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode())
    return load_config(file, environ={})


def test_everything_else_stays(tmp_path: Path) -> None:
    """Other sections and all lines of comment stay; the section comes as it was written."""
    old, new = write(tmp_path / "teleclaude.yml", OLD), write(tmp_path / "new.yml", NEW)
    switched = switch(old, new)
    assert switched.file == tmp_path / "teleclaude.yml"
    assert (
        switched.file.read_text()
        == """\
# TeleClaude on this laptop

database:
  # the file of last year
  # the big one
  engine: fake
  path: 'new.db'
  port: ${PORT:-7}

# upkeep
daemon:
  startup_timeout: 5  # impatient
"""
    )
    assert load_config(switched.file, environ={}).database == new.database
    assert switched.before is not None
    assert switched.before.read_text() == OLD


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """There is the file, and what it was before; both as readable as it was."""
    old, new = write(tmp_path / "teleclaude.yml", OLD), write(tmp_path / "b/new.yml", NEW)
    (tmp_path / "teleclaude.yml").chmod(0o640)
    switched = switch(old, new)
    assert switched.before is not None
    assert sorted(tmp_path.glob("*.yml*")) == sorted([switched.file, switched.before])
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("*.yml*")} == {0o640}


def test_a_path_keeps_its_meaning(tmp_path: Path) -> None:
    """A path that was relative to another directory is written in full."""
    old = write(tmp_path / "teleclaude.yml", OLD)
    new = write(tmp_path / 'odd "name"' / "new.yml", NEW)
    switched = switch(old, new)
    assert load_config(switched.file, environ={}).database == new.database


DAEMON = "daemon:\n  startup_timeout: 5\n"

FORMS = {
    "no section": "daemon:\n  startup_timeout: 5\n",
    "empty section": "database:\ndaemon:\n  startup_timeout: 5\n",
    "empty file": "",
    "only a comment": "# nothing\n",
    "no line end": "daemon:\n  startup_timeout: 5",
    "last": "daemon:\n  startup_timeout: 5\ndatabase:\n  engine: fake\n  path: x.db",
    "braces in the section": "database: {engine: fake, path: x.db}\n" + DAEMON,
    "carriage returns": ("database:\n  engine: fake\n  path: x.db\n" + DAEMON).replace(
        "\n", "\r\n"
    ),
    "deep": "database:\n    engine: fake\n    path: >\n      x.db\n\n\n" + DAEMON,
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    "section",
    [NEW, "database: {engine: fake, path: y.db}\n", "database:\n  path: y.db\n  engine: fake"],
)
def test_files_of_every_form(tmp_path: Path, text: str, section: str) -> None:
    """However the files are written, the result has the one's database and the other's rest."""
    old, new = write(tmp_path / "teleclaude.yml", text), write(tmp_path / "new.yml", section)
    loaded = load_config(switch(old, new).file, environ={})
    assert (loaded.database, loaded.daemon) == (new.database, old.daemon)


def test_a_file_in_braces_is_refused(tmp_path: Path) -> None:
    """What cannot be changed line by line is left alone."""
    old = write(tmp_path / "teleclaude.yml", "{database: {engine: fake}}\n")
    with pytest.raises(ConfigError, match="in braces"):
        switch(old, write(tmp_path / "new.yml", NEW))
    assert [file.name for file in tmp_path.glob("tele*")] == ["teleclaude.yml"]


def test_without_a_file_one_is_made(tmp_path: Path) -> None:
    """Where there was no configuration there is one afterwards, for its owner only."""
    new = write(tmp_path / "new.yml", NEW)
    switched = switch(load_config(environ={}), new)
    assert switched.before is None
    assert switched.file.stat().st_mode & 0o777 == 0o600
    assert load_config(environ={}).database == new.database


def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays as it was, and nothing else is there."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    old, new = write(tmp_path / "a/teleclaude.yml", OLD), write(tmp_path / "b/new.yml", NEW)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match="cannot be written: No space left"):
        switch(old, new)
    assert [file.read_text() for file in (tmp_path / "a").iterdir()] == [OLD]


def test_variables_decide(tmp_path: Path) -> None:
    """Where the environment names the database, changing the file would change nothing."""
    file = write(tmp_path / "teleclaude.yml", OLD).path
    require_switchable(load_config(file, environ={"TELECLAUDE_DAEMON__STARTUP_TIMEOUT": "1"}))
    for name in ("TELECLAUDE_DATABASE__PATH", "FAKE_PATH"):
        with pytest.raises(ConfigError, match=name):
            require_switchable(load_config(file, environ={name: "/elsewhere.db"}))


def test_the_section_is_shown(tmp_path: Path) -> None:
    """It is shown as it stands in the file."""
    assert (
        shown_section(write(tmp_path / "new.yml", NEW))
        == """\
database:
  # the big one
  engine: fake
  path: 'new.db'
  port: ${PORT:-7}
"""
    )


def test_only_the_file_counts(tmp_path: Path) -> None:
    """Loaded by itself, a file is not overruled by the environment, but still refers to it."""
    file = write(tmp_path / "new.yml", NEW).path
    environ = {"TELECLAUDE_DATABASE__PATH": "/x", "FAKE_PATH": "/y", "PORT": "3"}
    settings = load_config(file, environ=environ, file_only=True).database.model_dump()
    assert (settings["path"], settings["port"]) == (tmp_path / "new.db", 3)
