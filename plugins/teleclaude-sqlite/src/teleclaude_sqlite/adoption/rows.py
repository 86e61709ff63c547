"""Converting one row: each value, what stands in for what is missing, and what has no place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from teleclaude.backends import LogicalType
from teleclaude.errors import InvalidValueError
from teleclaude_sqlite.adoption import reading
from teleclaude_sqlite.adoption.layout import TABLES
from teleclaude_sqlite.adoption.quarantine import key_of
from teleclaude_sqlite.adoption.repair import repaired
from teleclaude_sqlite.adoption.tables import (
    ALLOWED,
    DEFAULTS,
    LISTS,
    MEANT,
    NEW,
    READERS,
    SUBSTITUTES,
    settle,
    settle_voice,
)
from teleclaude_sqlite.adoption.targets import (
    checker_of,
    identity_of,
    kind_of,
    references_of,
    uniques_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Column, Dialect, Table

    from teleclaude_sqlite.adoption.quarantine import Quarantine

    RawRow = Mapping[str, object]
    Compute = Callable[[Mapping[str, object]], object]

_EMPTY: Final[Mapping[LogicalType, object]] = {
    LogicalType.KEY: "",
    LogicalType.TEXT: "",
    LogicalType.DOCUMENT: "{}",
    LogicalType.INTEGER: 0,
    LogicalType.FLAG: 0,
}


class _Target(NamedTuple):
    """A column of the new table, and where its value comes from."""

    name: str
    kind: LogicalType
    is_nullable: bool
    is_identity: bool
    sources: tuple[str, ...]
    read: Callable[[object], object]
    check: Callable[[object], object]
    compute: Compute | None


class _Row(NamedTuple):
    """A row on its way."""

    raw: RawRow
    key: str
    values: dict[str, object]
    stored: dict[str, object]
    unreadable: set[str]


class _RowRefusedError(Exception):
    """The row as a whole has no place; the text says why."""


class RowConverter:
    """Converts the rows of one table."""

    def __init__(  # noqa: PLR0913 - what a row meets on its way
        self,
        table: Table,
        columns: Sequence[str],
        *,
        dialect: Dialect,
        computed: Mapping[str, Compute],
        parents: Mapping[str, set[object]],
        quarantine: Quarantine,
        now: str,
    ) -> None:
        """Prepare.

        Args:
            table: The new table.
            columns: The columns of the old one.
            dialect: The dialect of the connection.
            computed: What the core computes, by column.
            parents: The keys of the tables that are converted already, by table.
            quarantine: Takes what has no place.
            now: The time of the adoption.
        """
        self._name = table.name
        self._old = TABLES[table.name]
        self._quarantine = quarantine
        self._parents = parents
        self._now = now
        identity = identity_of(table)
        self._targets = [
            _target(column, self._old.renamed, identity, computed, dialect)
            for column in table.columns
        ]
        known = {name for target in self._targets for name in target.sources}
        self._strangers = [name for name in columns if name not in known]
        self._references = references_of(table)
        self._uniques: list[tuple[tuple[str, ...], set[object]]] = [
            (names, set()) for names in uniques_of(table)
        ]

    def convert(self, raw: RawRow) -> Mapping[str, object] | None:
        """Convert a row.

        Args:
            raw: The old row.

        Returns:
            The new one as it is stored; `None` when it is in quarantine as a whole.
        """
        is_voice = self._name == "voice_assignments"
        source, used = settle_voice(raw) if is_voice else (raw, frozenset())
        row = _Row(raw, key_of([raw[name] for name in self._old.key]), {}, {}, set())
        try:
            self._require_place(row, source)
        except _RowRefusedError as refusal:
            self._quarantine.row(self._name, row.key, raw, str(refusal))
            return None
        for target in self._targets:
            if not target.is_identity:
                self._convert_value(row, target, source)
        self._keep_strangers(row, used)
        for target in self._targets:
            self._complete(row, target)
        settle(self._name, row.stored, raw, row.unreadable)
        return row.stored

    def _require_place(self, row: _Row, source: RawRow) -> None:
        """Convert what says which row this is; without that, it has no place."""
        for target in self._targets:
            if target.is_identity:
                self._take_identity(row, target, source.get(target.name))
        for name, parent in self._references:
            if row.stored[name] not in self._parents[parent]:
                reason = f"refers to a row of {parent} that does not exist"
                raise _RowRefusedError(reason)
        for names, seen in self._uniques:
            values = tuple(row.stored[name] for name in names)
            if values in seen:
                reason = f"has the same {', '.join(names)} as another row"
                raise _RowRefusedError(reason)
            seen.add(values)

    def _take_identity(self, row: _Row, target: _Target, raw: object) -> None:
        try:
            self._take(row, target, raw)
        except (reading.UnreadableError, InvalidValueError) as error:
            reason = f"has a {target.name} that {_reason(error)}"
            raise _RowRefusedError(reason) from None
        stored = row.stored[target.name]
        allowed = ALLOWED.get((self._name, target.name))
        if stored is None or (allowed is not None and stored not in allowed):
            reason = f"has no {target.name}" + ("" if stored is None else " that exists")
            raise _RowRefusedError(reason)

    def _convert_value(self, row: _Row, target: _Target, source: RawRow) -> None:
        name, raw = self._pick(row, target, source)
        try:
            self._take(row, target, raw)
        except (reading.UnreadableError, InvalidValueError) as error:
            self._quarantine.value(self._name, row.key, name, raw, _reason(error))
            is_whole = self._repair(row, target, raw)
            if target.name in MEANT:
                row.stored[target.name] = self._substitute(row, target)
            elif not (is_whole or target.is_nullable or target.kind is LogicalType.INSTANT):
                row.unreadable.add(target.name)

    def _repair(self, row: _Row, target: _Target, raw: object) -> bool:
        """Keep what can be kept of a value that cannot be stored as it is.

        Returns:
            Whether it still says what it said.
        """
        try:
            self._take(row, target, repaired(target.kind, raw, is_nullable=target.is_nullable))
        except (reading.UnreadableError, InvalidValueError):
            self._take(row, target, None)
        return row.values[target.name] is not None and target.kind is not LogicalType.KEY

    def _pick(self, row: _Row, target: _Target, source: RawRow) -> tuple[str, object]:
        """Find the value of a column that may have had several names at once."""
        if len(target.sources) == 1:
            return target.name, source.get(target.name)
        found = [
            (name, source[name]) for name in target.sources if source.get(name) not in (None, "")
        ]
        if not found:
            empty = [name for name in target.sources if source.get(name) == ""]
            return (empty[0], "") if empty else (target.name, None)
        name, raw = found[0]
        for other, value in found[1:]:
            if value != raw:
                self._quarantine.value(
                    self._name, row.key, other, value, f"gave way to the value of {name}"
                )
        return name, raw

    def _take(self, row: _Row, target: _Target, raw: object) -> None:
        value = None if raw is None else target.read(raw)
        row.stored[target.name] = None if value is None else target.check(value)
        row.values[target.name] = value

    def _keep_strangers(self, row: _Row, used: frozenset[str]) -> None:
        for name in self._strangers:
            if row.raw[name] is not None and name not in used:
                self._quarantine.value(
                    self._name, row.key, name, row.raw[name], "is in a column without a place"
                )

    def _complete(self, row: _Row, target: _Target) -> None:
        """Put something where nothing is and something must be."""
        if target.compute is not None:
            row.stored[target.name] = target.check(target.compute(row.values))
        elif row.stored[target.name] is None and not target.is_nullable:
            row.stored[target.name] = self._substitute(row, target)

    def _substitute(self, row: _Row, target: _Target) -> object:
        if target.name in DEFAULTS:
            return DEFAULTS[target.name]
        created_at, epoch = row.stored.get("created_at"), row.stored.get("created_at_epoch")
        if target.name == "created_at_epoch" and created_at is not None:
            return int(datetime.fromisoformat(str(created_at)).timestamp())
        if target.kind is not LogicalType.INSTANT:
            return _EMPTY[target.kind]
        others = [row.stored.get(name) for name in SUBSTITUTES.get(target.name, ())]
        if isinstance(epoch, int):
            others.append(datetime.fromtimestamp(epoch, UTC).isoformat(timespec="microseconds"))
        return next((other for other in others if other is not None), self._now)


def _target(
    column: Column[Any],
    renamed: Mapping[str, tuple[str, ...]],
    identity: frozenset[str],
    computed: Mapping[str, Compute],
    dialect: Dialect,
) -> _Target:
    kind = kind_of(column)
    name = column.name
    return _Target(
        name=name,
        kind=kind,
        is_nullable=bool(column.nullable),
        is_identity=name in identity,
        sources=() if name in NEW else (name, *renamed.get(name, ())),
        read=_reader(name, kind),
        check=checker_of(column, dialect),
        compute=computed.get(name),
    )


def _reader(name: str, kind: LogicalType) -> Callable[[object], object]:
    if name in READERS:
        return READERS[name]

    def read(raw: object) -> object:
        value = reading.read(kind, raw)
        if name in LISTS and value is not None and not isinstance(value, list):
            reason = "is not a list"
            raise reading.UnreadableError(reason)
        return value

    return read


def _reason(error: Exception) -> str:
    return (error.reason if isinstance(error, InvalidValueError) else None) or str(error)
