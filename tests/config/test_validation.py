"""What is said about wrong settings."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from fake_backends import InstallBackend, plugin_source
from teleclaude.errors import BackendNotFoundError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude.config import Config

    Load = Callable[..., Config]

FAKE = "database:\n  engine: fake\n"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "prot: 1",
            r"prot: the engine 'fake' \(teleclaude\.yml:2\) has no .*Did you mean 'port'\?",
        ),
        ("Port: 1", r"Port: .*Did you mean 'port'\?"),
        ("zzz: 1", r"zzz: .*There are: engine, host, port, "),
        ("engin: x", r"engin: .*Did you mean 'engine'\?"),
        ("port: many", r"port: must be a valid integer, but it is 'many'\."),
        ("port: true", r"port: must be a valid integer, but it is 'true'\."),
        ("port: 1.5", r"port: must be a valid integer, but it is '1\.5'\."),
        ("port:", r"port: must be a valid integer, but it is empty\."),
        ("port: [1]", r"port: must be a valid integer, but it is \['1'\]\."),
        ("port: 0", r"port: must be greater than or equal to 1, but it is '0'\."),
        ("verbose: perhaps", r"verbose: must be a valid boolean, but it is 'perhaps'\."),
        ("mode: ful", r"mode: must be 'normal' or 'full', but it is 'ful'\. Did you mean 'full'\?"),
        ("size: big", r"size: must be a valid integer or 'auto', but it is 'big'\."),
        ("host: reserved", r"host: 'reserved' is not the name of a host\.$"),
        (f"mode: {'x' * 500}", r"mode: must be .{1,100}\.\.\.\.$"),
    ],
)
def test_a_wrong_setting_is_explained(load: Load, line: str, complaint: str) -> None:
    """File, line and key come first, then what was expected and what was given."""
    with pytest.raises(ConfigError, match=rf"teleclaude\.yml:3: database\.{complaint}") as caught:
        load(f"{FAKE}  {line}\n")
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("startup_timeout: -1", "startup_timeout: must be greater than or equal to 0"),
        ("startup_timeout: inf", "startup_timeout: must be a finite number"),
        ("maintenance_interval: 0", "maintenance_interval: must be greater than 0"),
        ("timeout: 3", "timeout: the daemon has no such setting"),
    ],
)
def test_the_daemon_section_is_validated(load: Load, line: str, complaint: str) -> None:
    """The daemon's settings are checked like the database's."""
    with pytest.raises(ConfigError, match=rf"yml:2: daemon\.{complaint}"):
        load(f"daemon:\n  {line}\n")


def test_a_contradiction_names_every_place(load: Load) -> None:
    """The settings class's own message is followed by where its keys came from."""
    complaint = (
        r"yml:4: database: set either password or password_file, not both "
        r"\(password: teleclaude\.yml:3; password_file: teleclaude\.yml:4\)\."
    )
    with pytest.raises(ConfigError, match=complaint):
        load(f"{FAKE}  password: a\n  password_file: /b\n")


def test_a_required_setting_that_is_missing_is_named(
    load: Load, install_backend: InstallBackend
) -> None:
    """What nobody set says how to set it."""
    settings = """
        class Settings(BackendSettings):
            name: str

            @property
            def location(self):
                return self.name
    """
    install_backend("strict", plugin_source(settings=settings))
    complaint = r"yml: database\.name: must be set\..*TELECLAUDE_DATABASE__NAME"
    with pytest.raises(ConfigError, match=complaint):
        load("database:\n  engine: strict\n")


@pytest.mark.parametrize(
    "text",
    [
        "  password: weak-hunter2\n",
        "  password: [weak-hunter2]\n",
        "  password: {weak-hunter2: a}\n",
        "  password: weak-hunter2\n  password: weak-hunter2\n",
        "  password: weak-hunter2${\n",
        "  pasword: weak-hunter2\n",
        '  password: "weak-hunter2\\0"\n',
        "  host: fake://user:weak-hunter2@server/db\n  mode: fake://user:weak-hunter2@server/db\n",
        "  'password: weak-hunter2\n",
        "  password: 'weak-hunter2\n",
    ],
)
def test_secrets_are_never_quoted(load: Load, text: str) -> None:
    """Neither the message nor the traceback of an error contains a secret."""
    with pytest.raises(ConfigError) as caught:
        load(FAKE + text)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_secret_of_a_variable_is_not_quoted(load: Load) -> None:
    """The variable is named, its value is not."""
    with pytest.raises(ConfigError, match=r"the password \*{8} is too weak") as caught:
        load(FAKE, TELECLAUDE_DATABASE__PASSWORD="weak-hunter2")
    assert "hunter2" not in str(caught.value)


def test_the_own_words_of_a_settings_class_name_the_variable(load: Load) -> None:
    """Where the value came from is added to a message that cannot know it."""
    complaint = r"^database\.host: .* host \(host: environment TELECLAUDE_DATABASE__HOST\)\.$"
    with pytest.raises(ConfigError, match=complaint):
        load(FAKE, TELECLAUDE_DATABASE__HOST="reserved")


@pytest.mark.parametrize("value", ["", "[fake]", "{fake: 1}"])
def test_the_engine_must_be_a_name(load: Load, value: str) -> None:
    """An engine that is no text is a configuration error."""
    with pytest.raises(ConfigError, match=r"yml:2: database\.engine: expected"):
        load(f"database:\n  engine: {value}\n")


def test_an_engine_that_is_not_installed_names_the_line(load: Load) -> None:
    """A misspelt engine is reported with its place, what is installed and what was meant."""
    complaint = (
        r"yml:2: database\.engine: No backend for the engine 'fakee' .*Did you mean 'fake'\?"
    )
    with pytest.raises(BackendNotFoundError, match=complaint):
        load("database:\n  engine: fakee\n")


def test_an_engine_of_the_environment_that_is_not_installed_names_the_variable(load: Load) -> None:
    """The place of the mistake is the variable when it came from there."""
    with pytest.raises(BackendNotFoundError, match=r"^environment TELECLAUDE_DATABASE__ENGINE: "):
        load(TELECLAUDE_DATABASE__ENGINE="fakee")


def test_keys_of_another_engine_name_where_the_engine_comes_from(load: Load) -> None:
    """Forgetting `engine:` is recognisable from the message."""
    with pytest.raises(ConfigError, match=r"database\.port: the engine '\w+' \(default\) has no"):
        load("database:\n  port: 5\n")
