"""Documents that somebody's own SQL wrote: another form of JSON, or none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stores import fill, read_all
from teleclaude.errors import CopyError
from teleclaude.store.models import metadata
from teleclaude.store.transfer import Outcome
from teleclaude.store.values import MAX_DEPTH
from teleclaude.testing.rows import plain_rows

if TYPE_CHECKING:
    from copies import Copy, Place

EVENTS = metadata.tables["hook_outbox"]

ODD = {
    "spaces": ' { "b" : [ 1 , 2 ] , "a" : null } ',
    "lines": '{\n\t"a": 1\r\n}',
    "a key twice": '{"a": 1, "a": 2}',
    "unsorted keys": '{"b":1,"a":{"d":1,"c":2}}',
    "exponent": '{"a":1e5,"b":[2E+3,-2.5e3]}',
    "exponent after a space": '{"a":[1, 2e5]}',
    "exponent of nothing": '{"a":5e-0}',
    "negative exponent": '{"a":[1e-05,10e-1]}',
    "negative zero": '{"a":[-0.0,-0,0.0]}',
    "many digits": '{"a":0.10000000000000000000000000000000000001}',
    "trailing zeros": '{"a":1.500}',
    "surrogate pair": r'{"a":"\ud83d\ude00 \u00e9"}',
    "escapes": r'{"a":"\/\b\u001b\\u0000\\ud800"}',
    "text like numbers": '{"a":"x:1e5,2E5 [3e5","b":"12345678901234567890123"}',
    "ends of integers": '{"a":[9223372036854775807,-9223372036854775808]}',
    "deep": "[" * MAX_DEPTH + "]" * MAX_DEPTH,
}


async def put(place: Place, text: str, number: int = 2) -> None:
    """Write a document past the store."""
    quoted = text.replace("'", "''")
    sql = f"UPDATE hook_outbox SET payload = '{quoted}' WHERE id = {number}"
    place.provisioner.execute(sql, section=place.section)


async def payloads(place: Place) -> list[str]:
    """The documents as the store reads them; 1, 1.0 and true are not the same."""
    where = EVENTS.columns.keys().index("payload")
    rows = (await read_all(place.config))["hook_outbox"]
    return [json.dumps(row[where], sort_keys=True) for row in rows]


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
async def test_odd_documents_arrive(source: Place, target: Place, copy: Copy, text: str) -> None:
    """What a document means arrives, in whatever form it was written."""
    await fill(source.config, {EVENTS: plain_rows(EVENTS, 40)})
    await put(source, text)
    assert (await copy()).outcome is Outcome.COPIED
    found, wanted = await payloads(target), await payloads(source)
    assert [one.replace("-0.0", "0.0") for one in wanted] == found
    assert (await copy()).outcome is Outcome.ALREADY_COPIED


BAD = {
    "nothing": "",
    "cut off": '{"a":',
    "two": '{"a":1},{"b":2}',
    "comma": '{"a":1,}',
    "not a number": '{"a":NaN}',
    "text": '"text"',
    "NUL": r'{"a":"\u0000"}',
    "lone surrogate": r'{"a":"\ud800"}',
    "raw control character": '{"a":"\x01"}',
    "long integer": '{"a":9223372036854775808}',
    "too large": '{"a":1e999}',
    "too deep": "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
async def test_bad_documents_are_named(source: Place, target: Place, copy: Copy, text: str) -> None:
    """A document that no store would take stops the copy, which names its row and goes on later."""
    await fill(source.config, {EVENTS: plain_rows(EVENTS, 90)})
    before = await payloads(source)
    try:
        await put(source, text, 77)
    except Exception:  # noqa: BLE001 - the engine of the source does not take it either
        assert await payloads(source) == before
        return
    with pytest.raises(CopyError, match=r"hook_outbox with id 77"):
        await copy()
    await put(source, "{}", 77)
    assert (await copy()).outcome is Outcome.RESUMED
    assert await payloads(target) == await payloads(source)
