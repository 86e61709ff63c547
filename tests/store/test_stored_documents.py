"""JSON text by the column: what is passed on as it is means the same to every engine."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teleclaude.errors import StoreError
from teleclaude.store.stored_documents import canonical, parsed, passable
from teleclaude.store.values import INT64_MAX, INT64_MIN, MARK, dump_document
from teleclaude.testing.documents import documents

WHERE = "table.column"

NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
SPACE = st.sampled_from(["", " ", "\n\t"])
STRINGS = st.sampled_from(
    [
        '"a"',
        '"1e5"',
        '",1e5"',
        r'"\\"',
        r'"\","',
        r'"\ud83d\ude00"',
        '"\N{SNOWMAN}"',
        '" e"',
        '"[e"',
    ]
)


@st.composite
def texts(draw: Any, depth: int = 3) -> str:
    """JSON in all its forms."""
    values = st.one_of(NUMBERS, STRINGS, st.sampled_from(["null", "true", "false"]))
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        deeper = depth and draw(st.booleans())
        parts.append(draw(texts(depth - 1)) if deeper else draw(values))
    space = draw(SPACE)
    if draw(st.booleans()):
        return f"[{f',{space}'.join(parts)}]"
    return "{" + f",{space}".join(f'"{n}":{space}{part}' for n, part in enumerate(parts)) + "}"


@given(st.lists(st.none() | texts(), max_size=40))
def test_what_is_passed_on_has_no_number_that_changes(given: list[str | None]) -> None:
    """An engine that keeps decimal digits reads the same from it as Python does."""
    try:
        found = passable(given, WHERE)
    except StoreError:
        return  # an integer beyond 64 bits
    assert [one is None for one in found] == [one is None for one in given]
    for one in filter(None, found):
        json.loads(one, parse_float=without_exponent, parse_int=within_bounds)
    assert canonical(found, WHERE) == canonical(given, WHERE)


def without_exponent(number: str) -> float:
    """Fail where a number is written so that an engine would make an integer of it."""
    assert re.fullmatch(r"-?\d+(\.\d+)?(e-\d+)?", number)
    return float(number)


def within_bounds(number: str) -> int:
    """Fail for an integer that is refused."""
    assert INT64_MIN <= int(number) <= INT64_MAX
    return int(number)


@given(st.lists(st.none() | documents, max_size=40))
def test_a_column_is_written_as_each_document_is(given: list[Any]) -> None:
    """Whether a driver parses documents or gives text, all are written as one by one."""
    wanted = [one if one is None else dump_document(one, WHERE) for one in given]
    assert canonical(given, WHERE) == wanted
    assert canonical([one if one is None else json.dumps(one) for one in given], WHERE) == wanted
    assert canonical(wanted, WHERE) == wanted


@pytest.mark.parametrize(
    "given",
    [['{"a":1},{"b":2}', "[1", "2]"], ["{}", "[1", "2]"], [""], [f'{{}},"{MARK}",{{}}']],
    ids=["parts make up for it", "parts", "nothing", "mark"],
)
def test_text_is_json_by_itself(given: list[str]) -> None:
    """Texts that are JSON only together are none."""
    with pytest.raises(StoreError, match=r"table\.column is not a JSON document"):
        parsed(given, WHERE)
