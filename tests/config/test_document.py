"""What may stand in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude.config import Config

    Load = Callable[..., Config]

FAKE = "database:\n  engine: fake\n"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "database:\ndaemon:\n", "~"])
def test_an_empty_file_or_section_is_fine(load: Load, text: str) -> None:
    """A file whose settings are all commented out means the defaults."""
    assert set(load(text).sources.values()) == {"default"}


def test_values_know_their_line(load: Load) -> None:
    """Each source is the file and the line of the key."""
    config = load("# hello\n" + FAKE + "\n  port: 1\ndaemon:\n  startup_timeout: 5\n")
    assert config.sources["database.engine"] == "teleclaude.yml:3"
    assert config.sources["database.port"] == "teleclaude.yml:5"
    assert config.sources["daemon.startup_timeout"] == "teleclaude.yml:7"
    assert config.sources["daemon.maintenance_interval"] == "default"


@pytest.mark.parametrize(
    "word", ["12345", "007", "yes", "no", "1.50", "0x10", "2024-01-01", "1:30"]
)
def test_text_needs_no_quotes(load: Load, word: str) -> None:
    """What YAML would take for a number, flag or date stays the text it is."""
    values = load(f"{FAKE}  user: {word}\n  password: {word}\n").database.model_dump()
    assert (values["user"], values["password"].get_secret_value()) == (word, word)


def test_the_settings_class_decides_what_a_value_is(load: Load) -> None:
    """Numbers, flags and lists are what their field says, quoted or not."""
    values = load(
        f"{FAKE}  port: '5'\n  verbose: yes\n  size: 3\n  tags: [1, yes]\n"
    ).database.model_dump()
    assert (values["port"], values["verbose"]) == (5, True)
    assert (values["size"], values["tags"]) == (3, ["1", "yes"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- a\n", r"yml:1: does not consist of sections"),
        ("nonsense\n", r"yml:1: does not consist of sections"),
        ("database: 3\n", r"yml:1: database: expected settings below it"),
        ("database:\n  - host\n", r"yml:1: database: expected settings below it"),
        ("databse:\n  host: a\n", r"yml:1: databse: there is no such section\. Did you mean 'data"),
        ("host: a\n", r"yml:1: host: there is no such section.*below `database:` or `daemon:`"),
        ("database:\n  host: {a: b}\n", r"yml:2: database\.host: expected a single value"),
        ("database:\n  host: [[a]]\n", r"yml:2: database\.host: expected a single value"),
        ("database:\n  ? [a]\n  : b\n", r"yml:2: database: expected a word as the key"),
        ("database:\n\thost: a\n", r"yml:2: is not valid YAML: found character '\\t'.*not tabs"),
        ("database:\n  host: a: b\n", r"yml:2: is not valid YAML: mapping values are not allowed"),
        ("database:\n  host: 'a\n", r"yml:3: is not valid YAML"),
        ("database:\n---\ndaemon:\n", r"yml:2: is not valid YAML: expected a single document"),
        ("database:\n  host: a\x01b\n", r"yml:2: contains a control character"),
        ('database:\n  host: "a\\0b"\n', r"yml:2: database\.host: must be text"),
        ('database:\n  host: "\\ud800"\n', r"yml:2: database\.host: must be text"),
        ("[" * 2000, r"is nested too deeply"),
    ],
)
def test_what_is_no_configuration_is_explained(load: Load, text: str, complaint: str) -> None:
    """Each kind of wrong file is explained with its line."""
    with pytest.raises(ConfigError, match=complaint):
        load(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("database:\n  host: a\n  host: b\n", r"yml:3: database\.host: is there twice.*line 2"),
        ("daemon:\ndatabase:\ndaemon:\n", r"yml:3: daemon: is there twice.*line 1"),
    ],
)
def test_a_key_that_is_there_twice_is_an_error(load: Load, text: str, complaint: str) -> None:
    """Neither of two equal keys wins silently; both lines are named."""
    with pytest.raises(ConfigError, match=complaint):
        load(text)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [a]", "!!str a", "!custom a"])
def test_tags_are_refused(load: Load, tag: str) -> None:
    """No YAML tag is followed, wherever a value may stand."""
    with pytest.raises(ConfigError):
        load(f"database:\n  host: {tag}\n")
    with pytest.raises(ConfigError):
        load(tag)


def test_an_alias_bomb_is_harmless(load: Load) -> None:
    """Aliases that multiply are refused without being followed."""
    levels = "".join(f"  k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]\n" for n in range(1, 30))
    with pytest.raises(ConfigError, match="expected a single value"):
        load("database:\n  k0: &k0 [x]\n" + levels)


def test_an_alias_to_itself_is_harmless(load: Load) -> None:
    """A list that contains itself is refused."""
    with pytest.raises(ConfigError, match="expected a single value"):
        load("database:\n  host: &a [*a]\n")


@pytest.mark.parametrize("sign", list("!&*%@`"))
def test_an_unquoted_password_with_a_meaning_in_yaml_is_an_error(load: Load, sign: str) -> None:
    """A password is never shortened, emptied or shown because YAML reads its first sign."""
    with pytest.raises(ConfigError, match=r"yml:3: .*quotes") as caught:
        load(f"{FAKE}  password: {sign}hunter2\n")
    assert "hunter2" not in str(caught.value)


def test_all_problems_of_a_file_are_reported_at_once(load: Load) -> None:
    """One run tells everything that is wrong, in the order of the file, then the environment."""
    with pytest.raises(ConfigError) as caught:
        load(
            "daemon:\n  startup_timeout: soon\n  interval: 3\n"
            "database:\n  engine: fake\n  prot: 1\n  mode: ful\n",
            TELECLAUDE_DATABASE__PORT="many",
        )
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "daemon.startup_timeout",
        "daemon.interval",
        "database.prot",
        "database.mode",
        "must be a valid integer, but TELECLAUDE_DATABASE__PORT is 'many'.",
    ]
    assert (caught.value.line, caught.value.key) == (2, "daemon.startup_timeout")
