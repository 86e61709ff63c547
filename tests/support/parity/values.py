"""Arguments for the stores' operations: few usual ones, so that rows are hit again, and odd ones.

What is odd is mostly refused, but never by one engine only. Pools are small on purpose: two calls
that draw from the same one often mean the same row.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from teleclaude.store import types
from teleclaude.store.models import metadata
from teleclaude.testing.clock import START
from teleclaude.testing.documents import documents as any_documents
from teleclaude.testing.hostile import MEGABYTE, REFUSED_TEXTS, TEXTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy
    from sqlalchemy.types import TypeEngine

T = TypeVar("T")


def mostly(
    usual: SearchStrategy[T], odd: SearchStrategy[Any], *, one_in: int = 12
) -> SearchStrategy[Any]:
    """Draw something usual, and once in a while something odd."""
    return st.integers(1, one_in).flatmap(lambda number: odd if number == one_in else usual)


# --- text ---------------------------------------------------------------------------------------

_WRONG_TYPES: Final = st.sampled_from(
    [None, True, 0, 7, 1.5, float("nan"), b"text", ["text"], {"text": 1}, Decimal(1), START]
)
_REFUSED: Final = st.sampled_from([value for value, _ in REFUSED_TEXTS.values()])
_AROUND_THE_LIMIT: Final = st.sampled_from(
    [
        "k" * 1000,
        "k" * 1001,
        "\N{WATER BUFFALO}" * 250,
        "\N{WATER BUFFALO}" * 250 + "k",
        "\u00e9" * 500,
    ]
)
_ODD_TEXTS: Final = (
    st.sampled_from(list(TEXTS.values()))
    | st.text(max_size=8)
    | _REFUSED
    | _WRONG_TYPES
    | _AROUND_THE_LIMIT
)


def keys(*usual: str) -> SearchStrategy[Any]:
    """Give names of rows."""
    return mostly(st.sampled_from(usual), _ODD_TEXTS)


texts: Final = mostly(
    st.sampled_from(["", "a", "A", "it's 100 % of a_b\\c", "caf\u00e9", "cafe\u0301", "\u05e9"]),
    mostly(_ODD_TEXTS, st.just(MEGABYTE), one_in=12),
    one_in=5,
)
"""Text that is stored and shown."""

texts_or_none: Final = st.none() | texts

# --- numbers ------------------------------------------------------------------------------------

EDGES: Final = [
    edge + step
    for edge in (0, 2**31, -(2**31), 2**53, -(2**53), 2**63, -(2**63), 2**64)
    for step in (-1, 0, 1)
]
_NOT_INTEGERS: Final = st.sampled_from(
    [None, True, False, 1.0, 2.5, float("nan"), float("inf"), "1", b"1", Decimal(1), [1]]
)

integers: Final = mostly(st.integers(0, 3), st.sampled_from(EDGES) | _NOT_INTEGERS, one_in=4)
"""Values of integer columns."""

limits: Final = mostly(st.integers(1, 4), st.sampled_from(EDGES) | _NOT_INTEGERS, one_in=6)
"""How many rows are wanted."""

flags: Final = mostly(st.booleans(), st.sampled_from([None, 0, 1, "true", "", 1.0]))
"""Values of flags, and switches of operations."""

switches: Final = st.booleans()

# --- time ---------------------------------------------------------------------------------------

_BERLIN: Final = ZoneInfo("Europe/Berlin")
_ODD_INSTANTS: Final = st.sampled_from(
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),  # before the year 1 in UTC
        datetime(1, 1, 1, tzinfo=timezone(-timedelta(hours=1))),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(-timedelta(minutes=1))),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=14))),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1883, 11, 18, 12, 3, 57, tzinfo=ZoneInfo("America/New_York")),
        datetime(1900, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),  # 19 minutes 32 seconds
        datetime(2025, 3, 30, 2, 30, tzinfo=_BERLIN),  # does not exist
        datetime(2025, 10, 26, 2, 30, tzinfo=_BERLIN),  # exists twice
        datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=_BERLIN),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
        datetime(2025, 3, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30, microseconds=1))),
        datetime(2025, 3, 1, 12, tzinfo=None),  # noqa: DTZ001 - naive on purpose
        "2025-03-01T12:00:00+00:00",
        "2025-03-01T12:00:00Z",
        "20250301T120000,5+0130",
        "2025-03-01",
        "2025-W09-6T12:00:00.1234567-05:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999999-00:01",
        "2025-03-01T24:00:00Z",
        "now",
        "infinity",
        "",
        "\x00",
        0,
        1740830400.5,
        START.date(),
        timedelta(0),
        True,
    ]
)

instants: Final = mostly(
    st.integers(-3, 3).map(lambda seconds: START + timedelta(seconds=10 * seconds)),
    _ODD_INSTANTS | st.datetimes(timezones=st.timezones()),
    one_in=5,
)
"""Points in time, many of them near the clock's."""

instants_or_none: Final = st.none() | instants

durations: Final = mostly(
    st.sampled_from([timedelta(seconds=seconds) for seconds in (10, 0.5, 60, 86400)]),
    st.sampled_from(
        [
            timedelta(0),
            timedelta(microseconds=1),
            -timedelta(seconds=10),
            timedelta(days=365 * 2000),
            timedelta.max,
            timedelta.min,
            10,
            None,
        ]
    ),
)
"""Leases and ages."""

# --- documents ----------------------------------------------------------------------------------


def _nested(depth: int, *, as_list: bool) -> object:
    document: object = [] if as_list else {}
    for _ in range(depth - 1):
        document = [document] if as_list else {"a": document}
    return document


_LOOP: Final[list[object]] = []
_LOOP.append(_LOOP)
_DEPTHS: Final = (50, 99, 100, 101, 200, 201, 500, 800, 850, 900, 950, 980, 1000, 5000)
_ODD_DOCUMENTS: Final = (
    any_documents
    | st.sampled_from(
        [
            [float("nan")],
            {"a": float("inf")},
            [-0.0, 0.0, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, 0.1, 1e16, 123456789.125],
            [2**63 - 1, -(2**63), 2**53 + 1],
            [2**63],
            {"a": [-(2**63) - 1]},
            [10**400],
            {1: "a"},
            {1: "a", "1": "b"},
            {None: 1},
            {True: 1, 2.5: 2},
            {float("nan"): 1},
            {(1, 2): 3},
            {"": "", "b": 1, "aa": 2, "\u00e9": 3, "\U0001f600": 4, "\uffff": 5},
            {"a\x00": 1},
            ["\x00"],
            ["\\u0000", "\\", "e+20", "-0.0", '"-0.0', "1" * 25, '"'],
            [{"1e+20": "1e+20", "-0.0": "9" * 30}],
            ["\ud800"],
            {"\udfff": 1},
            [(1, 2), [3]],
            (1, 2),
            [{1, 2}],
            [Decimal("1.5")],
            [b"a"],
            [START],
            _LOOP,
            "text",
            '{"a": 1}',
            7,
            None,
            True,
            {"k" * 3000: "v" * 3000},
            [MEGABYTE],
            list(range(3000)),
        ]
    )
    | st.builds(_nested, st.sampled_from(_DEPTHS), as_list=st.booleans())
)

documents: Final = mostly(
    st.sampled_from(
        [
            {"a": 1},
            {"a": 1.0},
            {"a": True},
            [1],
            [1.0],
            [],
        ]
    ),
    _ODD_DOCUMENTS,
    one_in=4,
)
"""Documents, several of which are equal for one engine or the other."""

adapter_metadata: Final = mostly(
    st.sampled_from(
        [
            {"telegram": {"topic": value}}
            for value in (7, "7", 7.0, True, None, "seven", 2**53 + 1, "07", ["7"])
        ]
        + [{"telegram": 7}, {"telegram": []}, {"discord": {"topic": 7}}, []]
    ),
    documents,
    one_in=4,
)
"""What adapters keep with a session."""

metadata_values: Final = mostly(
    st.sampled_from([7, "7", 2**53 + 1, str(2**53 + 1), "seven", "07", "True", ""]),
    st.sampled_from([True, None, 7.0, float("nan"), [7], "\x00", "\ud800", 2**64]),
)
"""What is looked for in it."""

# --- fields -------------------------------------------------------------------------------------

_BY_TYPE: Final[Mapping[type[TypeEngine[Any]], SearchStrategy[Any]]] = {
    types.Key: keys("a", "b", "A", "a%", "active"),
    types.LongText: texts,
    types.UtcDateTime: instants,
    types.JsonDocument: documents,
    types.Flag: flags,
    types.BigInt: integers,
}
_BY_NAME: Final = {
    "lifecycle_status": keys("active", "closed", "headless", "initializing"),
    "adapter_metadata": adapter_metadata,
    "computer_name": keys("mac", "pc"),
    "last_input_origin": keys("telegram", "api"),
}
_SESSIONS: Final = metadata.tables["sessions"]
_ODD_NAMES: Final = st.sampled_from(
    ["", "titel", "Title", "title; --", "id", "now", "id_", "\x00", "\ud800", "\u00e9", "c", "key"]
)

_OFTEN: Final = st.sampled_from(
    [
        "adapter_metadata",
        "char_offset",
        "closed_at",
        "initiated_by_ai",
        "last_message_sent",
        "last_output_at",
        "lifecycle_status",
        "subdir",
        "transcript_files",
    ]
)

field_names: Final = mostly(_OFTEN | st.sampled_from(sorted(_SESSIONS.columns.keys())), _ODD_NAMES)
"""Fields of a session, and names that are none."""


def _value(name: str) -> SearchStrategy[Any]:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name not in _SESSIONS.columns:
        return texts
    values = _BY_TYPE[type(_SESSIONS.columns[name].type)]
    return mostly(values, st.none() | texts | integers, one_in=6)


def _field(name: str) -> SearchStrategy[tuple[str, Any]]:
    return st.tuples(st.just(name), _value(name))


one_field: Final = field_names.flatmap(_field)
"""A field and a value for it."""


def fields(*, but: tuple[str, ...] = (), most: int = 3) -> SearchStrategy[dict[str, Any]]:
    """Give fields of a session with their values.

    Args:
        but: Fields that are given in another way.
        most: How many at most.
    """
    pairs = st.lists(one_field, max_size=most).map(dict)
    return pairs.map(lambda found: {name: found[name] for name in found if name not in but})


# --- memory -------------------------------------------------------------------------------------

WORDS: Final = [
    "cache",
    "caf\u00e9",
    "cafe\u0301",
    "CACHE",
    "ca",
    "stra\u00dfe",
    "STRASSE",
    "\u0130stanbul",
    "na\u00efve",
    "a_b",
    "x-y",
    "3.14",
    "\uff11\uff12",
    "\u4f60\u597d",
    "\u05e9\u05dc\u05d5\u05dd",
    "and",
    "NEAR",
    "\ufb01x",
    "\u13a0",
    "\U0001f600",
    "w" * 120,
]

sentences: Final = mostly(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
    | st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(". ".join),
    texts,
)
"""What is remembered."""

_QUERY_PARTS: Final = st.sampled_from(WORDS) | st.sampled_from(
    ["ca*", '"cache ca"', '"ca cache', "*", '""', "a*b", "-cache", "(ca", "ca:*", "'", "%", "st*"]
)

queries: Final = mostly(
    st.lists(_QUERY_PARTS, min_size=1, max_size=3).map(" ".join),
    st.just(" ".join(f"word{number}" for number in range(150))) | texts,
)
"""What is searched for."""
