"""`docs/store.md` lists every operation of every store, exactly as it is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from teleclaude.store import Stores

if TYPE_CHECKING:
    from teleclaude.store.context import StoreContext

PAGE = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")


class NoContext:
    """What stores are made with where none of their operations is run."""

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


STORES = vars(Stores(cast("StoreContext", NoContext())))


def rows(store: str) -> list[str]:
    """Give the rows that the page should have for the operations of a store."""
    result = []
    for name, function in inspect.getmembers(type(STORES[store]), inspect.isfunction):
        if name.startswith("_"):
            continue
        signature = inspect.signature(function)
        parameters = [
            parameter.replace(annotation=inspect.Parameter.empty)
            for parameter in list(signature.parameters.values())[1:]
        ]
        bare = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
        gives = str(signature.return_annotation).replace("|", "\\|")
        summary = inspect.cleandoc(function.__doc__ or "").splitlines()[0]
        result.append(f"| `{name}{bare}` | `{gives}` | {summary} |")
    return result


CHAPTERS = {
    heading: text
    for heading, _, text in (one.partition("\n") for one in re.split(r"(?m)^## ", PAGE))
    if "`db." in heading
}


@pytest.mark.parametrize("heading", CHAPTERS)
def test_the_operations_of_a_chapter_are_those_of_its_stores(heading: str) -> None:
    """Each operation of the stores in the heading has a row with its arguments; no other has."""
    stores = re.findall(r"`db\.(\w+)`", heading)
    listed = re.findall(r"(?m)^\| `\w+\(.*$", CHAPTERS[heading])
    assert len(listed) == len(set(listed))
    assert set(listed) == {row for store in stores for row in rows(store)}


def test_every_store_has_a_chapter() -> None:
    """Nothing is left out, and every chapter has an example."""
    assert sorted(re.findall(r"`db\.(\w+)`", "".join(CHAPTERS))) == sorted(STORES)
    assert all("```python" in text for text in CHAPTERS.values())
