"""`docs/writing-a-backend.md` documents every hook, exactly as it is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from teleclaude import backends
from teleclaude.backends import CONTRACT_VERSION, REQUIRED_HOOKS, ErrorKind, LogicalType, hookspecs

PAGE = (Path(__file__).parents[2] / "docs" / "writing-a-backend.md").read_text(encoding="utf-8")
HOOKS = {
    name: inspect.signature(value)
    for name, value in vars(hookspecs).items()
    if name.startswith("teleclaude_")
}


class Entry(NamedTuple):
    """A hook as the page describes it."""

    chapter: str
    heading: str
    text: str


def entries() -> dict[str, Entry]:
    """Take the page apart."""
    found = {}
    for chapter in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title, *sections = re.split(r"^### ", chapter, flags=re.MULTILINE)
        for section in sections:
            heading, _, text = section.partition("\n")
            found[heading.partition("(")[0]] = Entry(title.partition("\n")[0], heading, text)
    return found


def test_every_hook_is_documented() -> None:
    """Each hook has its place on the page, and no hook is there that does not exist."""
    assert list(entries()) == list(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_heading_is_the_signature(hook: str) -> None:
    """The heading names the arguments in their order."""
    assert entries()[hook].heading == f"{hook}({', '.join(HOOKS[hook].parameters)})"


@pytest.mark.parametrize("hook", HOOKS)
def test_arguments_and_result_are_explained_with_their_types(hook: str) -> None:
    """Each argument and the result has a line of its own with the type the code has."""
    signature = HOOKS[hook]
    expected = [
        *(f"`{name}` (`{each.annotation}`)" for name, each in signature.parameters.items()),
        f"Returns (`{signature.return_annotation}`)",
    ]
    assert re.findall(r"^- (.+?): ", entries()[hook].text, re.MULTILINE) == expected


@pytest.mark.parametrize("hook", HOOKS)
def test_it_is_said_when_a_hook_is_called(hook: str) -> None:
    """Whoever implements a hook has to know when it is called, or what taking part means."""
    assert re.search(r"\b([Cc]alled|tried once)\b", entries()[hook].text)


@pytest.mark.parametrize("hook", HOOKS)
def test_required_and_optional_hooks_are_told_apart(hook: str) -> None:
    """A hook is in the chapter of its kind; an optional one says what happens without it."""
    entry = entries()[hook]
    required = hook in REQUIRED_HOOKS
    assert entry.chapter == ("Required hooks" if required else "Optional hooks")
    assert ("Left out" in entry.text) is not required


def test_the_logical_types_are_listed() -> None:
    """The table has every kind of column."""
    listed = re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)
    assert listed == [kind.name for kind in LogicalType]


def test_the_contract_in_the_example_is_the_current_one() -> None:
    """Who copies the example gets a backend that this version accepts."""
    assert f"TELECLAUDE_CONTRACT = {CONTRACT_VERSION}\n" in PAGE


def test_what_the_page_uses_of_the_package_exists() -> None:
    """Every name the page gives as one of `teleclaude.backends` is public there."""
    used = set(re.findall(r"`teleclaude\.backends\.(\w+)", PAGE)) - {"hookspecs"}
    assert used <= set(backends.__all__)


def test_the_kinds_of_error_that_are_mentioned_exist() -> None:
    """The advice on classification uses the contract's words."""
    text = entries()["teleclaude_classify_error"].text
    assert set(re.findall(r"`([A-Z_]{4,})`", text)) <= set(ErrorKind.__members__)
