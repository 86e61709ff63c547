"""What the store accepts as a value, checked before any database sees it.

Engines differ in what they refuse: PostgreSQL takes no NUL character, SQLite any 64-bit pattern,
neither the other's idea of a date. So the core refuses the union of it, on every engine, with one
error.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from os import urandom

from teleclaude.errors import InvalidValueError, StoreError

TYPE_CHECKING = False  # without `typing`, which `teleclaude-hook` would wait for
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final, TypeAlias

Document: TypeAlias = dict[str, object] | list[object]
"""A JSON object or array, as the store takes and gives it."""

MAX_KEY_BYTES: Final = 1000
"""The most bytes a key has in UTF-8. Two of them, in one index entry, must fit the smallest limit
of the engines known: 2704 bytes, a third of a page of PostgreSQL's B-tree."""

MAX_DEPTH: Final = 100
"""How many objects and arrays may be inside one another. Without a limit of its own, a document
would be refused by whatever gives up first: Python's stack, which is differently deep each time, or
an engine; MySQL for one stores no more than this."""

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_DECODER: Final = json.JSONDecoder()
_TOO_DEEP: Final = f"it is nested more than {MAX_DEPTH} levels deep"

MARK: Final = urandom(8).hex()
"""Stands between documents that are written together. Nobody who writes one can know it."""

BETWEEN: Final = f',"{MARK}",'
"""The mark as it stands between documents in JSON text."""

_STRING: Final = r'"(?:[^"\\]|\\.)*"'
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS: Final = b"0" * 19
_LOOK_CLOSER: Final = (rb"\u0000", b"-0.0", b"e+")
# What few documents need is compiled when one does, and kept by `re`.
_EXPONENT: Final = _STRING + r"|-?\d+(?:\.\d+)?e\+\d+"
_NEGATIVE_ZERO: Final = _STRING + r"|-0\.0(?!\d)"
_LONG_INTEGER: Final = _STRING + r"|(?<![\d.])-?\d{19,}(?![\d.e])"
_BRACKET: Final = _STRING + r"|[\[\]{}]"
_ESCAPED_NUL: Final = r"(?<!\\)(?:\\\\)*\\u0000"


class DumpedDocument(str):
    """JSON text that `dump_document` wrote, and takes in the place of the document.

    For whoever needs the text for something else as well.
    """

    __slots__ = ()


def invalid(where: str, reason: str) -> InvalidValueError:
    """Make the error for a value that is refused.

    Args:
        where: The column as `table.column`.
        reason: What is wrong, continuing "the value for <where> ...".
    """
    return InvalidValueError(f"The value for {where} {reason}.", reason=reason)


def check_text(value: object, where: str, max_length: int | None = None) -> str:
    """Accept text that every engine can store unchanged.

    Args:
        value: The value to check.
        where: The column as `table.column`, for the error.
        max_length: The most characters the column holds; `None` for no limit.

    Returns:
        The value.

    Raises:
        InvalidValueError: It is not text, is too long, or holds a NUL character or a lone surrogate
            (neither exists in PostgreSQL's `text`, and a lone surrogate has no UTF-8 form).
    """
    if not isinstance(value, str):
        raise invalid(where, f"must be text, not {type(value).__name__}")
    if "\x00" in value:
        raise invalid(where, "contains a NUL character, which cannot be stored")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            reason = f"contains a lone surrogate at position {error.start}, which cannot be stored"
            raise invalid(where, reason) from None
    if max_length is not None and len(value) > max_length:
        raise invalid(where, f"has {len(value)} characters; at most {max_length} can be stored")
    return value


def check_key(value: object, where: str, max_length: int | None = None) -> str:
    """Accept text that every engine can also index.

    Args:
        value: The value to check.
        where: The column as `table.column`, for the error.
        max_length: As for `check_text`.

    Returns:
        The value.

    Raises:
        InvalidValueError: As for `check_text`, or it is longer than `MAX_KEY_BYTES`.
    """
    text = check_text(value, where, max_length)
    if len(text) * 4 > MAX_KEY_BYTES and (size := len(text.encode())) > MAX_KEY_BYTES:
        raise invalid(where, f"takes {size} bytes; at most {MAX_KEY_BYTES} can be stored")
    return text


def check_integer(value: object, where: str) -> int:
    """Accept an integer of 64 bits.

    Args:
        value: The value to check.
        where: The column as `table.column`, for the error.

    Returns:
        The value.

    Raises:
        InvalidValueError: It is not an integer or does not fit into 64 bits.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid(where, f"must be an integer, not {type(value).__name__}")
    if not INT64_MIN <= value <= INT64_MAX:
        raise invalid(where, "does not fit into 64 bits")
    return value


def check_limit(value: object, name: str = "limit", *, least: int = 1) -> int:
    """Accept a number of rows.

    Engines read others differently: a negative one is no limit for SQLite and an error for
    PostgreSQL, and text or a fraction may or may not be taken for the integer it looks like.

    Args:
        value: The value to check.
        name: What the caller calls it, for the error.
        least: The least number that makes sense.

    Returns:
        The value.

    Raises:
        InvalidValueError: It is not an integer, less than that, or does not fit into 64 bits.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        message = f"The {name} must be an integer, not {type(value).__name__}."
        raise InvalidValueError(message)
    if value < least:
        wanted = f"greater than {least - 1}" if least else "0 or more"
        message = f"The {name} must be {wanted}, not {value}."
        raise InvalidValueError(message)
    if value > INT64_MAX:
        message = f"The {name} does not fit into 64 bits."
        raise InvalidValueError(message)
    return value


def check_flag(value: object, where: str) -> bool:
    """Accept `True` or `False` and nothing that merely looks like it.

    Args:
        value: The value to check.
        where: The column as `table.column`, for the error.

    Returns:
        The value.

    Raises:
        InvalidValueError: It is not a boolean.
    """
    if not isinstance(value, bool):
        raise invalid(where, f"must be true or false, not {type(value).__name__}")
    return value


def check_instant(value: object, where: str) -> datetime:
    """Accept a point in time.

    Args:
        value: An aware `datetime`, or ISO 8601 text with an offset.
        where: The column as `table.column`, for the error.

    Returns:
        The same instant in UTC.

    Raises:
        InvalidValueError: It is something else, has no time zone, or lies outside the years 1 to
            9999 in UTC.
    """
    if type(value) is datetime and value.tzinfo is UTC:
        return value  # as nearly always
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise invalid(where, "is not an ISO 8601 date and time") from None
    if not isinstance(value, datetime):
        raise invalid(where, f"must be a date and time, not {type(value).__name__}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise invalid(where, "has no time zone; use an aware datetime such as datetime.now(UTC)")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise invalid(where, "lies outside the years 1 to 9999 in UTC") from None


def moved(instant: datetime, by: object, name: str, *, back: bool = False) -> datetime:
    """Give the instant that is later by a duration.

    Args:
        instant: Where to start.
        by: How much later, a `timedelta`.
        name: What the caller calls the duration, for the error.
        back: Earlier instead of later.

    Returns:
        The instant in UTC.

    Raises:
        InvalidValueError: It is no duration, or leads out of the years 1 to 9999.
    """
    if not isinstance(by, timedelta):
        message = f"The {name} must be a timedelta, not {type(by).__name__}."
        raise InvalidValueError(message)
    try:
        start = instant.astimezone(UTC)  # where clocks change, so many hours later is another time
        return start - by if back else start + by
    except OverflowError:
        message = f"The {name} leads out of the years 1 to 9999."
        raise InvalidValueError(message) from None


def format_instant(value: datetime) -> str:
    """Write a UTC instant as text of fixed width, so that text order is time order."""
    return value.isoformat(timespec="microseconds")


def load_instant(value: object, where: str) -> datetime:
    """Take an instant as an engine gives it, or as somebody's own SQL left it.

    What has no time zone is UTC: so do engines write "now" into a text column, and so do drivers
    give the ends of time, which they call infinity.

    Args:
        value: A `datetime`, or text that `format_instant` wrote.
        where: The column as `table.column`, for the error.

    Returns:
        The instant in UTC.

    Raises:
        StoreError: It is no instant.
    """
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(instant, datetime):
            return instant if instant.tzinfo is UTC else _in_utc(instant)
    except (ValueError, OverflowError):
        pass
    raise _unreadable(where, "a date and time")


def _in_utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def dump_document(value: object, where: str) -> str:
    """Write a document as the JSON text that means the same on every engine.

    Keys are sorted, so that equal documents are equal text. Numbers are written without an
    exponent, because PostgreSQL's `jsonb` keeps a number's digits but not its form: `1e+20` would
    come back as an integer.

    Args:
        value: A `dict` or `list` of JSON values, or what became of one.
        where: The column as `table.column`, for the error.

    Returns:
        JSON text.

    Raises:
        InvalidValueError: It is no object or array, or holds something that JSON or an engine
            cannot keep: NaN, infinity, NUL characters, lone surrogates, integers beyond 64 bits,
            more than `MAX_DEPTH` levels.
    """
    if isinstance(value, DumpedDocument):
        return value
    if not isinstance(value, (dict, list)):
        raise invalid(where, f"must be a JSON object or array, not {type(value).__name__}")
    try:
        text = _ENCODER.encode(value)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        raise invalid(where, "contains a lone surrogate, which cannot be stored") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise invalid(where, f"is not a JSON document: {_first_sentence(error)}") from None
    if _is_too_deep(text):
        raise invalid(where, f"is not a JSON document: {_TOO_DEEP}")
    if r"\u0000" in text and re.search(_ESCAPED_NUL, text):
        raise invalid(where, "contains a NUL character, which cannot be stored")
    if has_many_digits(text.encode()) and not all(map(_fits, re.findall(_LONG_INTEGER, text))):
        raise invalid(where, "contains an integer that does not fit into 64 bits")
    if "-0.0" in text:
        text = re.sub(_NEGATIVE_ZERO, _without_sign, text)
    return re.sub(_EXPONENT, _without_exponent, text) if "e+" in text else text


def writes_as(document: object, text: str, where: str) -> bool:
    """Say whether a stored document is the one that `dump_document` wrote as this text.

    Args:
        document: The stored document.
        text: JSON text.
        where: The column as `table.column`.
    """
    try:
        return dump_document(document, where) == text
    except InvalidValueError:
        return False  # something else than TeleClaude wrote it, and it is something else


def dump_documents(documents: Sequence[object], where: str) -> list[DumpedDocument]:
    """Write many documents as `dump_document` writes each of them.

    Mostly there is nothing about them that needs a closer look, which is found out for all at once.

    Args:
        documents: The documents.
        where: The column as `table.column`, for the error.

    Returns:
        JSON texts.

    Raises:
        InvalidValueError: As for `dump_document`.
    """
    if documents and set(map(type, documents)) <= {dict, list}:
        text = _dump_together(documents)
        texts = [] if text is None else text.split(BETWEEN)
        if texts and not any(map(_is_too_deep, texts)):
            return list(map(DumpedDocument, texts))
    return [DumpedDocument(dump_document(document, where)) for document in documents]


def _dump_together(documents: Sequence[object]) -> str | None:
    marked = [part for document in documents for part in (document, MARK)]
    try:
        text = _ENCODER.encode(marked)
        encoded = text.encode()
    except (TypeError, ValueError, RecursionError):
        return None
    if has_many_digits(encoded) or any(sign in encoded for sign in _LOOK_CLOSER):
        return None
    return text[1 : -len(BETWEEN)]  # it ends in a mark and a bracket


def load_document(text: str, where: str) -> Document:
    """Read JSON text that `dump_document` wrote, or an engine's rendering of it.

    Args:
        text: The text.
        where: The column as `table.column`, for the error.

    Raises:
        StoreError: It is no JSON.
    """
    document: Document
    try:
        document, end = _DECODER.raw_decode(text)
        if end == len(text):
            return document
    except (ValueError, RecursionError):
        pass
    try:
        document = json.loads(text)  # white space around it is no mistake
    except (ValueError, RecursionError):
        raise _unreadable(where, "a JSON document") from None
    return document


def _unreadable(where: str, expected: str) -> StoreError:
    message = f"A value stored in {where} is not {expected}."
    return StoreError(message, hint="Something else than TeleClaude wrote it; correct it by hand.")


def _is_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False  # as almost always, and quickly seen
    depth = 0
    for match in re.finditer(_BRACKET, text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            return True
    return False


def has_many_digits(text: bytes) -> bool:
    """Say whether so many digits are together that they could be no integer of 64 bits."""
    # A regular expression would take as long as writing the document.
    return _MANY_DIGITS in text.translate(_DIGITS)


def _fits(token: str) -> bool:
    return token.startswith('"') or INT64_MIN <= int(token) <= INT64_MAX


def _without_exponent(match: re.Match[str]) -> str:
    token = match[0]
    return token if token.startswith('"') else f"{float(token):.1f}"


def _without_sign(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else "0.0"


def _first_sentence(error: Exception) -> str:
    return _TOO_DEEP if isinstance(error, RecursionError) else str(error)
