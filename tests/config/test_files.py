"""Where the configuration file is looked for, and what is said about one that cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from teleclaude.config import DEFAULT_ENGINE, load_config
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude.config import Config

    Load = Callable[..., Config]


def write(file: Path, host: str) -> Path:
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(f"database:\n  host: {host}\n")
    return file


def host(config: Config) -> str:
    return str(config.database.model_dump()["host"])


def test_no_file_at_all_means_the_default_engine_with_its_defaults(load: Load) -> None:
    """Without a file and without variables everything is a default."""
    config = load()
    assert (config.path, config.backend.engine) == (None, DEFAULT_ENGINE)
    assert set(config.sources.values()) == {"default"}
    assert (config.daemon.startup_timeout, config.daemon.maintenance_interval) == (30, 3600)


def test_places_are_tried_in_order(place: Path, tmp_path: Path) -> None:
    """The explicit path, the variable, the working directory and the home win in this order."""
    write(tmp_path / "home/.teleclaude/teleclaude.yml", "home")
    assert host(load_config(environ={})) == "home"
    write(place / "teleclaude.yml", "work")
    assert host(load_config(environ={})) == "work"
    environ = {"TELECLAUDE_CONFIG_PATH": str(write(tmp_path / "variable.yml", "variable"))}
    assert host(load_config(environ=environ)) == "variable"
    assert host(load_config(write(tmp_path / "given.yml", "given"), environ=environ)) == "given"


def test_the_process_environment_is_used_when_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`load_config()` reads `os.environ`."""
    monkeypatch.setenv("TELECLAUDE_DATABASE__HOST", "exported")
    assert host(load_config()) == "exported"


def test_an_empty_path_variable_counts_as_not_set() -> None:
    """An empty TELECLAUDE_CONFIG_PATH does not name a file."""
    assert load_config(environ={"TELECLAUDE_CONFIG_PATH": ""}).path is None


def test_the_path_is_absolute_and_a_tilde_is_expanded(place: Path, tmp_path: Path) -> None:
    """A relative path and one with `~` both end up absolute."""
    write(place / "a.yml", "a")
    write(tmp_path / "home/b.yml", "b")
    assert load_config("a.yml", environ={}).path == place / "a.yml"
    environ = {"TELECLAUDE_CONFIG_PATH": "~/b.yml"}
    assert load_config(environ=environ).path == tmp_path / "home/b.yml"


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_named_file_that_does_not_exist_is_an_error(place: Path, *, by_variable: bool) -> None:
    """A named file is never replaced by another one that happens to be there."""
    write(place / "teleclaude.yml", "other")
    environ = {"TELECLAUDE_CONFIG_PATH": "missing.yml"} if by_variable else {}
    with pytest.raises(ConfigError, match=r"missing\.yml: the file does not exist") as caught:
        load_config(None if by_variable else "missing.yml", environ=environ)
    assert caught.value.file == place / "missing.yml"


def test_a_dangling_link_is_an_error(place: Path) -> None:
    """A link to nowhere in the working directory is not skipped in favour of the defaults."""
    (place / "teleclaude.yml").symlink_to("gone.yml")
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(environ={})


def test_a_directory_is_an_error(place: Path) -> None:
    """A directory is told apart from a file, with the next step."""
    with pytest.raises(ConfigError, match=r"is a directory.*teleclaude\.yml"):
        load_config(place, environ={})


def test_a_path_with_a_nul_is_an_error() -> None:
    """A path no file can have is a configuration error, not a crash."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config("a\0b", environ={})


def test_a_file_that_is_not_utf8_is_an_error(place: Path) -> None:
    """The line of the first wrong byte is named."""
    (place / "teleclaude.yml").write_bytes(b"database:\n  host: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"teleclaude\.yml:2: is not UTF-8"):
        load_config(environ={})


def test_a_byte_order_mark_is_fine(place: Path) -> None:
    """A file from an editor that writes a byte order mark works."""
    (place / "teleclaude.yml").write_bytes(b"\xef\xbb\xbfdatabase:\n  host: a\n")
    assert host(load_config(environ={})) == "a"


def test_an_endless_file_is_an_error() -> None:
    """A device that never ends is not read into memory."""
    with pytest.raises(ConfigError, match="larger than"):
        load_config("/dev/zero", environ={})


# Root may read everything, so the attempt is made by a process that gave its rights up.
UNPRIVILEGED = """
import os
from teleclaude.config import load_config
os.geteuid() or os.setuid(65534)
load_config(environ={})
"""


@pytest.mark.parametrize("closed", [".teleclaude/teleclaude.yml", ".teleclaude"])
def test_a_file_without_permission_is_an_error(closed: str) -> None:
    """A file or directory of somebody else is an error with the reason, and not skipped."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        write(Path(home, ".teleclaude/teleclaude.yml"), "secret")
        Path(home, closed).chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED],
            cwd=home,
            env={**os.environ, "HOME": home, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        Path(home, closed).chmod(0o755)
    assert "teleclaude.yml: cannot be read: Permission denied. Make it readable" in done.stderr


def test_a_working_directory_that_is_gone_is_skipped(place: Path, tmp_path: Path) -> None:
    """A deleted working directory holds no file; the home is looked into."""
    write(tmp_path / "home/.teleclaude/teleclaude.yml", "home")
    place.rmdir()
    try:
        assert host(load_config(environ={})) == "home"
    finally:
        os.chdir(tmp_path)


def test_a_relative_path_in_the_file_is_taken_from_the_file(load: Load, place: Path) -> None:
    """What a file names relatively lies beside the file, wherever the process was started."""
    file = place / "etc" / "teleclaude.yml"
    file.parent.mkdir()
    file.write_text("database:\n  engine: fake\n  path: data/x.db\n")
    assert load_config(file, environ={}).database.model_dump()["path"] == file.parent / "data/x.db"
    config = load(None, TELECLAUDE_CONFIG_PATH=str(file), TELECLAUDE_DATABASE__PATH="data/x.db")
    assert config.database.model_dump()["path"] == Path("data/x.db")


@pytest.mark.parametrize("path", ["/srv/x.db", "~/x.db", "$DATA/x.db", ":memory:", "file:x.db"])
def test_a_path_the_backend_must_understand_is_left_alone(load: Load, path: str) -> None:
    """Absolute paths and those with a meaning of their own reach the settings class as written."""
    config = load(f"database:\n  engine: fake\n  path: '{path}'\n")
    assert config.database.model_dump()["path"] == Path(path)


def test_a_word_that_is_no_path_is_left_alone(load: Load) -> None:
    """Where a field takes a path or a certain word, the word is not taken for a relative path."""
    config = load("database:\n  engine: fake\n  certificate: system\n")
    assert config.database.model_dump()["certificate"] == "system"


def test_an_empty_path_is_an_error(load: Load) -> None:
    """An empty path does not become the working directory."""
    with pytest.raises(ConfigError, match=r"database\.path: must be a valid path, but it is ''"):
        load("database:\n  engine: fake\n  path: ''\n")
