"""The logical column types of the models.

Each means the same on every engine: what Python gives and takes is fixed here; how an engine stores
it is the backend's `teleclaude_column_types`, and `impl` is the portable default where a backend is
silent.

The types override `bind_processor` and `result_processor` rather than `process_bind_param` and
`process_result_value`: SQLAlchemy calls the latter for every value, even where there is nothing to
do.
"""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from sqlalchemy import BigInteger, Boolean, Dialect, MetaData, String, Text, TypeDecorator

from teleclaude.backends import LogicalType
from teleclaude.backends.backend import column_type
from teleclaude.store import values
from teleclaude.store.stored_documents import DumpedDocuments, parsed
from teleclaude.store.stored_instants import WrittenInstants
from teleclaude.store.values import INT64_MAX, INT64_MIN, MAX_KEY_BYTES, DumpedDocument

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.types import TypeEngine

    Processor: TypeAlias = Callable[[Any], Any]


_UTF8_BYTES: Final = 4
"""Bytes of a character in UTF-8, at most."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Logical(TypeDecorator[Any]):
    """Base of the logical types: finds the engine's type and knows its column for errors."""

    logical: ClassVar[LogicalType]

    where: str = "a parameter"
    """The column as `table.column`, once `label_columns` has run."""

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Take the backend's type for this kind of column, or the portable default."""
        chosen = column_type(dialect, self.logical)
        return self.impl_instance if chosen is None else chosen

    def coerce_compared_value(self, op: object, value: object) -> TypeEngine[Any]:
        """Bind what a column is compared with as the column itself is bound."""
        del op, value
        return self

    def bind_processor(self, dialect: Dialect) -> Processor:
        """Check every value before the driver sees it."""
        del dialect
        return self._binder(self._checker())

    def _binder(self, check: Processor) -> Processor:
        """Give what binds any value; a type may look first for what needs no check."""

        def process(value: object) -> object:
            return None if value is None else check(value)

        return process

    def bind_many(self, values: Sequence[object]) -> Sequence[object]:
        """Bind the values of many rows, as `bind_processor` would bind each of them.

        What can be said of all of them at once is not asked of each.

        Args:
            values: The values, some of them perhaps `None`.

        Returns:
            What the driver takes.
        """
        given = [value for value in values if value is not None]
        if self._are_bound(given):
            return values
        check = self._checker()
        return [None if value is None else check(value) for value in values]

    def _are_bound(self, values: Sequence[Any]) -> bool:
        """Say whether all values are certainly as they would be bound."""
        return not values

    def stored(self) -> TypeEngine[Any]:
        """Give the type that selects a column as the driver gives it, for `load_many`."""
        return Stored(self)

    def load_many(self, dialect: Dialect, values: Sequence[Any]) -> Sequence[object]:
        """Read what the driver gave for many rows, as `result_processor` would read each of them.

        Args:
            dialect: The dialect that the values came from.
            values: The values of a column, some of them perhaps `None`.

        Returns:
            Python values.
        """
        process = self.result_processor(dialect, None)
        return values if process is None else [process(value) for value in values]

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        """Give what the driver gives."""
        del dialect, coltype
        return None

    def _checker(self) -> Processor:
        """Give what checks and binds a value that is there; made once, used for many values."""
        raise NotImplementedError


class LongText(_Logical):
    """Text that is stored and shown."""

    impl = Text
    logical = LogicalType.TEXT
    cache_ok = True

    @property
    def _limit(self) -> int | None:
        engine_type = self.impl_instance
        return engine_type.length if isinstance(engine_type, String) else None

    def _checker(self) -> Processor:
        where, limit = self.where, self._limit
        return lambda value: values.check_text(value, where, limit)

    def _binder(self, check: Processor) -> Processor:
        longest = self._longest_plain

        def process(value: object) -> object:
            if type(value) is str and len(value) <= longest and value.isascii():
                if "\x00" not in value:
                    return value
            elif value is None:
                return None
            return check(value)

        return process

    @property
    def _longest_plain(self) -> int:
        """How long ASCII text may be."""
        return sys.maxsize if self._limit is None else self._limit

    def _are_bound(self, values: Sequence[Any]) -> bool:
        if not _all_of(values, str) or _longest(values) > self._longest_plain:
            return False
        text = "".join(values)
        return "\x00" not in text and (text.isascii() or not _SURROGATE.search(text))


class Key(LongText):
    """Text that is compared, indexed and joined on; compares by code point.

    Its length is limited everywhere, because engines limit what an index entry can hold.
    """

    logical = LogicalType.KEY
    cache_ok = True

    def _checker(self) -> Processor:
        where, limit = self.where, self._limit
        return lambda value: values.check_key(value, where, limit)

    @property
    def _longest_plain(self) -> int:
        return min(MAX_KEY_BYTES, super()._longest_plain)

    def _are_bound(self, values: Sequence[Any]) -> bool:
        return super()._are_bound(values) and _longest(values) * _UTF8_BYTES <= MAX_KEY_BYTES


class BigInt(_Logical):
    """A 64-bit integer."""

    impl = BigInteger
    logical = LogicalType.INTEGER
    cache_ok = True

    def _checker(self) -> Processor:
        where = self.where
        return lambda value: values.check_integer(value, where)

    def _binder(self, check: Processor) -> Processor:
        def process(value: object) -> object:
            if value is None or (type(value) is int and INT64_MIN <= value <= INT64_MAX):
                return value
            return check(value)

        return process

    def _are_bound(self, values: Sequence[Any]) -> bool:
        return not values or (
            _all_of(values, int) and min(values) >= INT64_MIN and max(values) <= INT64_MAX
        )


class SurrogateKey(BigInt):
    """A 64-bit integer that the database counts up and never gives twice."""

    logical = LogicalType.SURROGATE_KEY
    cache_ok = True


class Flag(_Logical):
    """A boolean; stored as 0 and 1 where the engine's type is an integer."""

    impl = Boolean
    logical = LogicalType.FLAG
    cache_ok = True

    def _checker(self) -> Processor:
        where = self.where
        return lambda value: values.check_flag(value, where)

    def _are_bound(self, values: Sequence[Any]) -> bool:
        return _all_of(values, bool)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        """Turn stored integers back into booleans."""
        if self.impl_instance.python_type is bool:
            return self.impl_instance.result_processor(dialect, coltype)

        def process(value: object) -> object:
            return None if value is None else bool(value)

        return process


class UtcDateTime(_Logical):
    """An instant: aware, UTC, microseconds.

    Stored as text of fixed width where the engine's type is text, so that text order is time order.
    """

    impl = Text
    logical = LogicalType.INSTANT
    cache_ok = True

    def _checker(self) -> Processor:
        where, check, write = self.where, values.check_instant, values.format_instant
        if self._is_text:
            return lambda value: write(check(value, where))
        return lambda value: check(value, where)

    def _are_bound(self, values: Sequence[Any]) -> bool:
        if self._is_text or not _all_of(values, datetime):
            return not values
        return {value.tzinfo for value in values} <= {UTC}

    def bind_many(self, values: Sequence[object]) -> Sequence[object]:
        """Bind the values of many rows; those that are written need nothing more."""
        return values if isinstance(values, WrittenInstants) else super().bind_many(values)

    @property
    def _is_text(self) -> bool:
        return self.impl_instance.python_type is not datetime

    def load_many(self, dialect: Dialect, values: Sequence[Any]) -> Sequence[object]:
        """Read all values together, where all of them are text or all of them instants."""
        found = values
        try:
            if not _all_of(values, datetime, NoneType):
                read = datetime.fromisoformat
                found = [None if value is None else read(value) for value in values]
        except (TypeError, ValueError):
            return super().load_many(dialect, values)
        if {value.tzinfo for value in found if value is not None} <= {UTC}:
            return found
        return super().load_many(dialect, values)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        """Read the text form where that is how the engine stores it."""
        del dialect, coltype
        where, read = self.where, datetime.fromisoformat

        def process(value: object) -> datetime | None:
            try:
                instant = read(value)  # type: ignore[arg-type] # what is no text is looked at below
            except (TypeError, ValueError):
                pass
            else:
                if instant.tzinfo is UTC:
                    return instant
            return None if value is None else values.load_instant(value, where)

        def take(value: object) -> datetime | None:
            if type(value) is datetime and value.tzinfo is UTC:
                return value
            return None if value is None else values.load_instant(value, where)

        return process if self._is_text else take


class JsonDocument(_Logical):
    """A JSON object or array; handed to the driver as JSON text."""

    impl = Text
    logical = LogicalType.DOCUMENT
    cache_ok = True

    def _checker(self) -> Processor:
        where = self.where
        return lambda value: values.dump_document(value, where)

    def bind_many(self, values: Sequence[object]) -> Sequence[object]:
        """Bind the values of many rows; those that are dumped need nothing more."""
        return values if isinstance(values, DumpedDocuments) else super().bind_many(values)

    def _are_bound(self, values: Sequence[Any]) -> bool:
        return _all_of(values, DumpedDocument)

    def load_many(self, dialect: Dialect, values: Sequence[Any]) -> Sequence[object]:
        """Parse the text of all values together."""
        del dialect
        return parsed(values, self.where)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        """Parse text; a driver that parses JSON itself has done it already."""
        del dialect, coltype
        where = self.where

        def process(value: object) -> object:
            if value == "[]":  # which most lists are, most of the time
                return []
            return values.load_document(value, where) if isinstance(value, str) else value

        return process


class Stored(TypeDecorator[Any]):
    """Selects a column of a logical type without reading its values.

    What an engine's type does in SQL, a `column_expression`, is done all the same.
    """

    impl = Text
    cache_ok = True

    def __init__(self, logical: _Logical) -> None:
        """Take the column's type."""
        super().__init__()
        self.logical = logical

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Take the type that the column has."""
        return self.logical.load_dialect_impl(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        """Give what the driver gives."""
        del dialect, coltype
        return None


def _all_of(given: Sequence[object], *kinds: type) -> bool:
    return set(map(type, given)) <= {*kinds}


def _longest(texts: Sequence[str]) -> int:
    return max(map(len, texts), default=0)


def label_columns(metadata: MetaData) -> None:
    """Tell every logical type which column it belongs to, so that errors can name it.

    Args:
        metadata: The complete tables.
    """
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, _Logical):
                column.type.where = f"{table.name}.{column.name}"
