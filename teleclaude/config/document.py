"""Reading `teleclaude.yml` into sections, keys and values that know their line.

The file is parsed to YAML's node tree and no further: values stay the text that stands in the file,
and the settings class alone decides whether `5432` is a port or a password and `no` a flag or a
user's name. No YAML tag is ever followed, and values have one level, so neither objects nor aliases
can do harm.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import yaml

from teleclaude.config.expansion import ExpansionError, expand
from teleclaude.config.files import read_text
from teleclaude.config.given import SECTIONS, Given, Rank, suggestion
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from teleclaude.config.given import Value

_NULL: Final = "tag:yaml.org,2002:null"
# YAML's messages quote the names of tokens ('<scalar>') and single characters, which help, but also
# names of aliases, which is what a password that starts with an asterisk is taken for.
_QUOTED_TEXT: Final = re.compile(r"""(['"])(?![<\\]).{2,}\1""")


def read_document(
    file: Path, environ: Mapping[str, str], problems: list[ConfigError]
) -> dict[str, dict[str, Given]]:
    """Read a configuration file.

    Args:
        file: The file.
        environ: The environment variables, for `${VAR}`.
        problems: Collects what is wrong with single keys and values.

    Returns:
        Section to key to what was given for it. Whether the keys exist is not known here.

    Raises:
        ConfigError: The file cannot be read or is not a mapping in YAML.
    """
    text = read_text(file)
    root = compose(file, text)
    if root is None or root.tag == _NULL:
        return {}
    if not isinstance(root, yaml.MappingNode):
        hint = "It starts with `database:` or `daemon:`, with the settings indented below."
        raise ConfigError("does not consist of sections.", file=file, line=_line(root), hint=hint)
    return _Reader(file, text, environ, problems).sections(root)


def compose(file: Path, text: str) -> yaml.Node | None:
    """Parse a configuration file as far as YAML's nodes.

    Args:
        file: The file, for errors.
        text: What stands in it.

    Returns:
        The root, `None` for an empty file.

    Raises:
        ConfigError: It is not YAML.
    """
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.reader.ReaderError as error:
        place = text.count("\n", 0, error.position) + 1
        message = "contains a control character, which YAML does not allow."
        raise ConfigError(message, file=file, line=place) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or ""
        if reason.startswith("but ") and error.context:
            reason = f"{error.context} {reason}"
        reason = _QUOTED_TEXT.sub("(hidden)", reason)
        message = f"is not valid YAML: {reason}."
        hint = "Values with special characters must be in quotes; indent with spaces, not tabs."
        line = mark.line + 1 if mark else None
        raise ConfigError(message, file=file, line=line, hint=hint) from None
    except RecursionError:
        raise ConfigError("is nested too deeply.", file=file) from None


class _ShapeError(ValueError):
    """A value is not of a shape that settings have; the text never quotes it."""


class _Reader:
    def __init__(
        self, file: Path, text: str, environ: Mapping[str, str], problems: list[ConfigError]
    ) -> None:
        self._file = file
        self._text = text
        self._environ = environ
        self._problems = problems

    def sections(self, root: yaml.MappingNode) -> dict[str, dict[str, Given]]:
        found: dict[str, dict[str, Given]] = {}
        for name, line, node in self._items(root):
            if name not in SECTIONS:
                self._unknown_section(name, line)
            elif isinstance(node, yaml.MappingNode):
                found[name] = dict(self._settings(name, node))
            elif node.tag != _NULL:  # a section whose keys are all commented out is empty
                hint = f"Write `{name}:` and its settings indented below, one `key: value` a line."
                self._problem("expected settings below it, not a value.", line, name, hint)
        return found

    def _settings(self, section: str, node: yaml.MappingNode) -> Iterator[tuple[str, Given]]:
        for name, line, value_node in self._items(node, section):
            try:
                value = self._value(value_node)
            except (ExpansionError, _ShapeError) as error:
                self._problem(str(error), line, f"{section}.{name}")
            else:
                yield name, Given(value, Rank.FILE, file=self._file, line=line)

    def _items(
        self, node: yaml.MappingNode, section: str | None = None
    ) -> Iterator[tuple[str, int, yaml.Node]]:
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = _line(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem("expected a word as the key.", line, section)
            elif (name := key_node.value) in lines:
                dotted = f"{section}.{name}" if section else name
                message = f"is there twice; the first is in line {lines[name]}."
                self._problem(message, line, dotted, "Keep one of them.")
            else:
                lines[name] = line
                yield name, line, value_node

    def _value(self, node: yaml.Node) -> Value:
        if isinstance(node, yaml.SequenceNode):
            return [self._scalar(item) for item in node.value]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            raise _ShapeError("expected a single value, or a list of single values.")
        # A password such as &a or !a would otherwise silently become empty, or a part of itself.
        if self._text[node.start_mark.index : node.start_mark.index + 1] in {"&", "!"}:
            raise _ShapeError("starts with a sign that YAML gives a meaning; put it in quotes.")
        if node.tag == _NULL:
            return None
        return expand(node.value, self._environ)

    def _unknown_section(self, name: str, line: int) -> None:
        places = " or ".join(f"`{section}:`" for section in SECTIONS)
        hint = f"The settings stand below {places}, indented."
        if close := suggestion(name, SECTIONS):
            hint = f"Did you mean {close!r}?"
        self._problem("there is no such section.", line, name, hint)

    def _problem(self, message: str, line: int, key: str | None, hint: str | None = None) -> None:
        self._problems.append(ConfigError(message, file=self._file, line=line, key=key, hint=hint))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
