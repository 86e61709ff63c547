"""Settings out of the environment: `TELECLAUDE_<SECTION>__<KEY>` and the engine's own variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from teleclaude.config.given import SECTIONS, Given, Rank, suggestion
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX: Final = "TELECLAUDE_"
_SEPARATOR: Final = "__"


def variable(section: str, key: str) -> str:
    """Give the name of the environment variable that sets a key."""
    return f"{_PREFIX}{section}{_SEPARATOR}{key}".upper()


def read_environment(
    environ: Mapping[str, str], problems: list[ConfigError]
) -> dict[str, dict[str, Given]]:
    """Collect the variables that set a key of a section; upper and lower case mean the same.

    Args:
        environ: The environment variables. An empty one counts as not set.
        problems: Collects what is wrong.

    Returns:
        Section to key to what was given for it, with every section present. Whether the keys exist
        is not known here.
    """
    sections: dict[str, dict[str, Given]] = {section: {} for section in SECTIONS}
    for name, value in environ.items():
        prefix, found, key = name.lower().partition(_SEPARATOR)
        if not (value and found and prefix.startswith(_PREFIX.lower())):
            continue
        section = prefix.removeprefix(_PREFIX.lower())
        if section not in sections:
            problems.append(_unknown_section(name, section, key))
        elif key in sections[section]:
            other = sections[section][key].variable
            message = f"{other} and {name} both set it, which is ambiguous."
            problems.append(ConfigError(message, key=f"{section}.{key}", hint="Keep one of them."))
        else:
            sections[section][key] = Given(value, Rank.VARIABLE, variable=name)
    return sections


def read_engine_variables(
    environ: Mapping[str, str], fields: Mapping[str, str]
) -> dict[str, Given]:
    """Collect the variables with a name of their own.

    Args:
        environ: The environment variables. An empty one counts as not set.
        fields: Variable to key; the first of several for one key wins.

    Returns:
        Key to what was given for it.
    """
    given: dict[str, Given] = {}
    for name, key in fields.items():
        if value := environ.get(name):
            given.setdefault(key, Given(value, Rank.ENGINE_VARIABLE, variable=name))
    return given


def _unknown_section(name: str, section: str, key: str) -> ConfigError:
    message = f"the environment variable {name} belongs to no section of the configuration."
    close = suggestion(section, SECTIONS)
    known = " or ".join(variable(one, "<key>") for one in SECTIONS)
    hint = f"Did you mean {variable(close, key)}?" if close else f"Its name must be {known}."
    return ConfigError(message, hint=hint)
