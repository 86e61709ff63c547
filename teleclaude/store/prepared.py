"""Statements compiled once: text, order of the parameters, and what turns values and rows.

Everything comes from SQLAlchemy's public interface, so a prepared statement binds and gives exactly
what its execution through the engine would. What cannot be prepared is refused, and the engine runs
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

from sqlalchemy import (
    Column,
    Delete,
    Insert,
    PrimaryKeyConstraint,
    Select,
    Table,
    TextClause,
    UniqueConstraint,
    Update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList

from teleclaude.backends import LaneStatement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ClauseElement, ColumnElement, Dialect, Executable
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine

    Parameters: TypeAlias = Mapping[str, object]
    Row: TypeAlias = Sequence[Any]
    Processor: TypeAlias = Callable[[Any], Any]
    Columns: TypeAlias = Sequence[tuple[int, Processor, bool]]

_MOST_KEPT: Final = 1000
"""Statements kept. The store has a few hundred; more are somebody's who makes them anew."""

_CHUNK: Final = 256
"""Rows turned at a time, column by column."""


class _Slot(NamedTuple):
    """A place in the statement where a value goes.

    Attributes:
        name: The parameter whose value it is, or `None` for the constant.
        process: Checks the value and gives it the form that the driver takes.
        constant: What always goes there.
    """

    name: str | None
    process: Processor | None
    constant: object


class _RefusedError(Exception):
    """A statement that cannot be prepared."""


class Prepared:
    """A statement that is ready to be run.

    Attributes:
        statement: What a lane is given.
    """

    __slots__ = ("_columns", "_expanded", "_slots", "statement")

    def __init__(
        self,
        statement: LaneStatement,
        slots: Sequence[_Slot],
        columns: Columns,
        expanded: Mapping[str, Sequence[str]],
    ) -> None:
        """Make the statement; `Preparer.prepare` does."""
        self.statement = statement
        self._slots = slots
        self._columns = columns
        self._expanded = expanded

    def bind(self, parameters: Parameters) -> Sequence[object]:
        """Give the values in their order, as the driver takes them.

        Args:
            parameters: The values by name.

        Raises:
            InvalidValueError: A value cannot be stored.
        """
        if self._expanded:
            parameters = dict(parameters)
            for name, places in self._expanded.items():
                parameters.update(zip(places, _padded(parameters[name]), strict=True))
        return [
            constant
            if name is None
            else parameters[name]
            if process is None
            else process(parameters[name])
            for name, process, constant in self._slots
        ]

    def rows(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Turn the rows that the driver gave into the values of the columns' types.

        Raises:
            StoreError: A stored value makes no sense.
        """
        if not self._columns or not rows:
            return rows
        if len(rows) == 1:
            return [self._row(rows[0])]
        turned: list[Row] = []
        for start in range(0, len(rows), _CHUNK):
            turned += self._chunk(rows[start : start + _CHUNK])
        return turned

    def _row(self, row: Row) -> Row:
        values = list(row)
        for index, process, skips_none in self._columns:
            value = values[index]
            if value is not None or not skips_none:
                values[index] = process(value)
        return values

    def _chunk(self, rows: Sequence[Row]) -> Iterable[Row]:
        # Column by column, because most of the work is then done by loops that are not Python's,
        # and a column without any value costs nothing.
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for index, process, skips_none in self._columns:
            column = columns[index]
            missing = column.count(None) if skips_none else 0
            if not missing:
                columns[index] = [*map(process, column)]
            elif missing < len(column):
                columns[index] = [None if value is None else process(value) for value in column]
        return zip(*columns, strict=True)


_UNKNOWN: Final = cast("Prepared", object())
"""In the place of what is not kept, because `None` is."""


class Preparer:
    """Prepares statements for the dialect of an engine, and keeps them."""

    def __init__(self, dialect: Dialect) -> None:
        """Make a preparer without any statement.

        Args:
            dialect: The dialect, of an engine that has been connected: only then does it know what
                the database can do.
        """
        self._dialect = dialect
        self._kept: dict[object, Prepared | None] = {}
        self._lists: dict[object, Sequence[str]] = {}
        self._with_keys: dict[Insert, Insert] = {}

    def prepare(self, statement: Executable, parameters: Parameters) -> Prepared | None:
        """Prepare a statement, or find it.

        Args:
            statement: The statement.
            parameters: The values it will be run with. Only their names matter, and how many values
                an `IN` has.

        Returns:
            The statement, or `None` where it cannot be prepared.
        """
        key: tuple[object, ...] = (statement, *parameters)
        found = self._kept.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            lists = self._lists.get(key)
            if lists is not None:
                found = self._kept.get((*key, *_lengths(lists, parameters)), _UNKNOWN)
        return self._keep(key, statement, parameters) if found is _UNKNOWN else found

    def with_key(self, statement: Executable) -> Executable | None:
        """Give an INSERT that returns the surrogate key of its row.

        Args:
            statement: An INSERT into a table with such a key.

        Returns:
            The statement, the same one each time, or `None` where the engine cannot do that.
        """
        if not isinstance(statement, Insert) or not self._dialect.insert_returning:
            return None
        found = self._with_keys.get(statement)
        if found is None:
            (column,) = cast("Table", statement.table).primary_key
            found = self._with_keys[statement] = statement.returning(column)
        return found

    def _keep(
        self, key: tuple[object, ...], statement: Executable, parameters: Parameters
    ) -> Prepared | None:
        for kept in (self._kept, self._lists, self._with_keys):
            if len(kept) >= _MOST_KEPT:
                kept.clear()
        prepared = None
        try:
            compiled = self._compile(statement, parameters)
            lists = [name for name, bind in compiled.binds.items() if bind.expanding]
            if lists:
                self._lists[key] = lists
                key = (*key, *_lengths(lists, parameters))
            prepared = self._prepared(statement, parameters, compiled, lists)
        except (_RefusedError, SQLAlchemyError, NotImplementedError):
            pass  # the engine says what is wrong with it, or makes it work
        self._kept[key] = prepared
        return prepared

    def _compile(self, statement: Executable, parameters: Parameters) -> SQLCompiler:
        names = list(parameters) if isinstance(statement, (Insert, Update)) else None
        # A copy, because compiling leaves notes in a statement, which those made from it inherit.
        copy = cast("ClauseElement", statement.execution_options())
        compiled = cast("SQLCompiler", copy.compile(dialect=self._dialect, column_keys=names))
        if not compiled.positional or compiled.update_prefetch:
            raise _RefusedError
        return compiled

    def _prepared(
        self,
        statement: Executable,
        parameters: Parameters,
        compiled: SQLCompiler,
        lists: Sequence[str],
    ) -> Prepared:
        text = str(compiled)
        order: Sequence[str] = compiled.positiontup or ()
        expanded: Mapping[str, Sequence[str]] = {}
        if lists:
            filled = {name: _padded(parameters[name]) for name in lists}
            state = compiled.construct_expanded_state({**dict.fromkeys(parameters), **filled})
            text, order = state.statement, state.positiontup or ()
            expanded = {**state.parameter_expansion}
        lists_of = {place: name for name, places in expanded.items() for place in places}
        types = _types(statement, compiled)
        prepared = LaneStatement(
            sql=text,
            returns_rows=types is not None,
            changes=isinstance(statement, (Insert, Update, Delete)),
            by_key=isinstance(statement, Select) and _finds_by_key(statement),
        )
        slots = [self._slot(compiled, place, lists_of, parameters) for place in order]
        return Prepared(prepared, slots, [*self._columns(types or ())], expanded)

    def _slot(
        self,
        compiled: SQLCompiler,
        place: str,
        lists_of: Mapping[str, str],
        parameters: Parameters,
    ) -> _Slot:
        bind = compiled.binds[lists_of.get(place, place)]
        if bind.callable is not None or bind.literal_execute:
            raise _RefusedError
        process = bind.type.dialect_impl(self._dialect).bind_processor(self._dialect)
        if place in lists_of:
            return _Slot(place, process, None)
        for name in (bind.key, place):
            if name in parameters:
                return _Slot(name, process, None)
        value = _constant(compiled, place, bind)
        return _Slot(None, None, value if process is None else process(value))

    def _columns(self, types: Iterable[TypeEngine[Any]]) -> Iterator[tuple[int, Processor, bool]]:
        for index, type_ in enumerate(types):
            process = type_.dialect_impl(self._dialect).result_processor(self._dialect, None)
            if process is not None:
                yield index, process, _keeps_none(process)


def _padded(given: object) -> Sequence[object]:
    """Repeat the last value up to a power of two, so that a few statements serve all lengths."""
    if isinstance(given, list) and len(given) == 1:
        return given  # as nearly always
    values = list(cast("Iterable[object]", given))
    size = 1 << (len(values) - 1).bit_length() if values else 0
    return values + values[-1:] * (size - len(values))


def _lengths(lists: Iterable[str], parameters: Parameters) -> Sequence[int]:
    return [len(_padded(parameters[name])) for name in lists]


def _constant(compiled: SQLCompiler, place: str, bind: BindParameter[Any]) -> object:
    for column in compiled.insert_prefetch:
        if column.key == place:
            default = column.default
            if default is None or not default.is_scalar:
                raise _RefusedError
            return cast("Any", default).arg
    if bind.required:
        raise _RefusedError
    return bind.effective_value


def _types(statement: Executable, compiled: SQLCompiler) -> Sequence[TypeEngine[Any]] | None:
    if isinstance(statement, Select):
        return [column.type for column in statement.selected_columns]
    if isinstance(statement, (Insert, Update, Delete)):
        returned = compiled.effective_returning
        return [cast("Column[Any]", column).type for column in returned] if returned else None
    if isinstance(statement, TextClause):
        return []
    raise _RefusedError


def _keeps_none(process: Processor) -> bool:
    try:
        return process(None) is None
    except Exception:  # noqa: BLE001 - then it is called, and says itself what is wrong
        return False


def _finds_by_key(statement: Select[Any]) -> bool:
    """Say whether a query compares all columns of a unique key of its one table with values."""
    condition, sources = statement.whereclause, statement.get_final_froms()
    if condition is None or len(sources) != 1 or not isinstance(sources[0], Table):
        return False
    compared = {*_compared(condition)}
    return any(key and key <= compared for key in _unique_keys(sources[0]))


def _unique_keys(table: Table) -> Iterator[set[str]]:
    for constraint in table.constraints:
        if isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint)):
            yield {column.key for column in constraint.columns}


def _compared(condition: ColumnElement[bool]) -> Iterator[str]:
    conjunction = isinstance(condition, BooleanClauseList) and condition.operator is operators.and_
    for part in condition.get_children() if conjunction else [condition]:
        if isinstance(part, BinaryExpression) and part.operator is operators.eq:
            left, right = part.left, part.right
            if isinstance(left, Column) and isinstance(right, BindParameter):
                yield left.key
