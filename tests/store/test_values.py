"""What the store accepts as a value, without any database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from teleclaude.errors import InvalidValueError, StoreError
from teleclaude.store import values
from teleclaude.testing.documents import documents, exactly, text

WHERE = "table.column"

offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
"""In whole minutes: Python misreads the text of some that are not (`+00:00:00.000001` as UTC)."""

instants = st.datetimes(timezones=offsets)


# --- documents ----------------------------------------------------------------------------------


@given(documents)
def test_a_document_is_read_as_it_was_written(document: object) -> None:
    """What was dumped is loaded with the same values of the same types."""
    loaded = values.load_document(values.dump_document(document, WHERE), WHERE)
    assert exactly(loaded) == exactly(document)


@given(documents)
def test_a_document_survives_exact_decimals(document: object) -> None:
    """An engine that keeps numbers as decimals, without exponents, gives back the same document."""
    written = values.dump_document(document, WHERE)
    rendered = json.loads(written, parse_float=lambda token: _Verbatim(f"{Decimal(token):f}"))
    stored = json.dumps(rendered, ensure_ascii=False)
    assert exactly(values.load_document(stored, WHERE)) == exactly(document)


class _Verbatim(float):
    """A number that is written with the digits it was read with, as a decimal type does."""

    def __new__(cls, digits: str) -> Self:
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    digits: str

    def __repr__(self) -> str:
        return self.digits


@given(documents)
def test_equal_documents_are_equal_text(document: object) -> None:
    """The text does not depend on the order in which a document was put together."""
    again = _reversed(document)
    assert values.dump_document(again, WHERE) == values.dump_document(document, WHERE)


def _reversed(value: object) -> object:
    if isinstance(value, dict):
        return {key: _reversed(one) for key, one in reversed(value.items())}
    return [_reversed(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("document", "written"),
    [
        ([1e16, 1e22, 1.5e300], None),
        ([-0.0, "-0.0", -0.05, {"-0.0": -0.0}], '[0.0,"-0.0",-0.05,{"-0.0":0.0}]'),
        (["1e+20", 1e20], '["1e+20",100000000000000000000.0]'),
        ([1e-7, 5e-324], "[1e-07,5e-324]"),
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        (["\\u0000", "\\\\"], '["\\\\u0000","\\\\\\\\"]'),
    ],
)
def test_how_a_document_is_written(document: object, written: str | None) -> None:
    """Sorted keys, no large exponents, no signed zeros; text is left as it is."""
    result = values.dump_document(document, WHERE)
    assert "e+" not in result.replace('"1e+20"', "")
    assert written in (None, result)
    assert json.loads(result) == document


@given(st.integers())
def test_integers_in_documents(number: int) -> None:
    """A document holds exactly the integers of 64 bits."""
    fits = -(2**63) <= number < 2**63
    try:
        written = values.dump_document({"n": [number], f"{number}": f"{number}"}, WHERE)
    except InvalidValueError as error:
        assert not fits
        assert "does not fit into 64 bits" in str(error)  # noqa: PT017 - either may happen
    else:
        assert fits
        assert json.loads(written)["n"] == [number]


@pytest.mark.parametrize("stored", ["", "{", "nonsense", "[" * 100_000])
def test_documents_that_cannot_be_read(stored: str) -> None:
    """Text that is no JSON is an error that names the column and quotes nothing."""
    with pytest.raises(
        StoreError, match=r"stored in table\.column is not a JSON document"
    ) as failure:
        values.load_document(stored, WHERE)
    assert "nonsense" not in str(failure.value)


# --- instants -----------------------------------------------------------------------------------


@given(instants)
def test_an_instant_is_read_as_it_was_written(instant: datetime) -> None:
    """The text of an instant is the same moment in UTC."""
    try:
        checked = values.check_instant(instant, WHERE)
    except InvalidValueError as error:
        assert "years 1 to 9999" in str(error)  # noqa: PT017 - either may happen
        return
    assert checked == instant
    assert checked.tzinfo is UTC
    assert values.load_instant(values.format_instant(checked), WHERE) == instant
    assert values.check_instant(instant.isoformat(), WHERE) == instant


@given(st.datetimes(), st.datetimes())
def test_the_order_of_the_text_is_the_order_of_time(one: datetime, other: datetime) -> None:
    """Texts compare as the instants do, and all have the same width."""
    texts = [values.format_instant(moment.replace(tzinfo=UTC)) for moment in (one, other)]
    assert (texts[0] < texts[1]) is (one < other)
    assert {len(text) for text in texts} == {32}


@pytest.mark.parametrize("stored", ["", "soon", 5, 1.5, b"2024-01-01", "2024-02-30T00:00:00Z"])
def test_instants_that_cannot_be_read(stored: object) -> None:
    """What is no moment is an error that names the column."""
    with pytest.raises(StoreError, match=r"stored in table\.column is not a date and time"):
        values.load_instant(stored, WHERE)


def test_instants_without_a_zone_are_read_as_utc() -> None:
    """What an engine wrote or gave without a zone is UTC, and other zones are converted."""
    expected = datetime(2024, 1, 1, 12, tzinfo=UTC)
    naive = expected.replace(tzinfo=None)
    ahead = expected.astimezone(timezone(timedelta(hours=2)))
    for stored in (naive, naive.isoformat(), str(naive), expected, ahead, ahead.isoformat()):
        loaded = values.load_instant(stored, WHERE)
        assert (loaded, loaded.tzinfo) == (expected, UTC)


# --- text and keys ------------------------------------------------------------------------------


@given(text)
def test_text_is_accepted_unchanged(given_text: str) -> None:
    """Any text without NUL characters and lone surrogates is accepted."""
    assert values.check_text(given_text, WHERE) == given_text


@given(st.text())
def test_what_is_accepted_has_a_utf8_form(given_text: str) -> None:
    """Exactly that text is refused which has a NUL character or no UTF-8 form."""
    storable = "\0" not in given_text and not any("\ud800" <= c <= "\udfff" for c in given_text)
    try:
        values.check_text(given_text, WHERE)
    except InvalidValueError:
        assert not storable
    else:
        assert storable
        given_text.encode()


def test_lone_surrogates_are_refused() -> None:
    """The position of the first character that cannot be stored is said."""
    with pytest.raises(InvalidValueError, match="lone surrogate at position 3"):
        values.check_text("abc\udc80", WHERE)


def test_a_length_is_counted_in_characters() -> None:
    """A limit on a column is one of characters, as engines count."""
    assert values.check_text("\N{SNOWMAN}" * 5, WHERE, 5)
    with pytest.raises(InvalidValueError, match="has 6 characters; at most 5 can be stored"):
        values.check_text("\N{SNOWMAN}" * 6, WHERE, 5)


@given(st.text(st.sampled_from("a\u00e9\u2603\U0001f600"), min_size=230, max_size=1100))
def test_a_key_is_limited_in_bytes(key: str) -> None:
    """A key is accepted exactly up to the limit, whatever its characters are."""
    fits = len(key.encode()) <= values.MAX_KEY_BYTES
    try:
        assert values.check_key(key, WHERE) == key
    except InvalidValueError:
        assert not fits
    else:
        assert fits
