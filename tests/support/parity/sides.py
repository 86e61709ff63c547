"""One of the stores that are compared: it runs calls, and remembers what they gave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml
from sqlalchemy import delete, select

from parity.calls import Row, RowId
from parity.comparing import Labels, normal, normal_answer, normal_error
from provisioning import make_provisioner
from teleclaude.config import load_config
from teleclaude.store import Db
from teleclaude.store.models import metadata
from teleclaude.testing.stores import IMPATIENT

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from sqlalchemy import Select, Table

    from parity.calls import Call
    from provisioning import Provisioner, Section
    from teleclaude.store import Stores
    from teleclaude.store.context import Clock

_NOBODYS_ID: Final = -7
_ORDER: Final = {"memory_manual_sessions": ["project"]}
"""Tables whose primary key is random, and what else is unique in them."""

_KIND_OF_TABLE: Final = {"memory_observations": "memory", "memory_summaries": "summaries"}


class Stranger(NamedTuple):
    """A row of no outbox, for when there is none yet."""

    id: int = _NOBODYS_ID
    claim_token: str | None = "nobody"


class UndoneError(Exception):
    """Leaves a transaction, which is then rolled back."""


@dataclass(frozen=True)
class Contestant:
    """What is compared with others: an engine, opened in a certain way.

    Attributes:
        name: What to call it.
        engine: Its engine.
        lane: Whether its statements run on the backend's statement lane.
        section: What its `database:` section has besides what the provisioner gives.
    """

    name: str
    engine: str
    lane: bool = True
    section: Section = field(default_factory=dict)


@dataclass
class Remembered:
    """What earlier calls gave, to be used by later ones."""

    labels: Labels = field(default_factory=Labels)
    ids: dict[str, list[int]] = field(default_factory=dict)
    rows: dict[str, list[Any]] = field(default_factory=dict)

    def copy(self) -> Remembered:
        """Give a copy, to come back to after a rollback."""
        return Remembered(
            self.labels.copy(),
            {kind: list(ids) for kind, ids in self.ids.items()},
            {kind: list(rows) for kind, rows in self.rows.items()},
        )

    def resolve(self, argument: Any) -> Any:
        """Put what was remembered in the place of what stands for it."""
        if isinstance(argument, RowId):
            return _pick(self.ids.get(argument.kind), argument.number, _NOBODYS_ID)
        if isinstance(argument, Row):
            return _pick(self.rows.get(argument.kind), argument.number, Stranger())
        if isinstance(argument, list) and any(isinstance(one, (Row, RowId)) for one in argument):
            return [self.resolve(one) for one in argument]
        return argument

    def note(self, call: Call, answer: Any) -> None:
        """Remember what a call gave."""
        if call.method == "enqueue":
            self.ids.setdefault(call.store, []).append(answer)
        elif call.method == "save":
            self.ids.setdefault(call.store, []).append(answer.id)
        elif call.method in ("claim", "peek", "dead"):
            self.rows.setdefault(call.store, []).extend(answer)


class Side:
    """A store under comparison.

    Attributes:
        name: What to call it.
        db: The store.
        stores: The stores that calls go to: those of the open transaction, if there is one.
    """

    def __init__(self, name: str, db: Db, provisioner: Provisioner) -> None:
        """Take a store that is open."""
        self.name = name
        self.db = db
        self.stores: Stores = db
        self._provisioner = provisioner
        self._remembered = Remembered()
        self._before = Remembered()
        self._transaction: AbstractAsyncContextManager[Stores] | None = None

    @classmethod
    async def open(cls, contestant: Contestant, directory: Path, clock: Clock) -> Side:
        """Make a database at the newest revision, and open a store on it."""
        directory.mkdir()
        provisioner = make_provisioner(contestant.engine, directory / "databases")
        section = {**provisioner.section(), **contestant.section}
        file = directory / "teleclaude.yml"
        file.write_text(yaml.safe_dump({"database": section}))
        config = load_config(file, environ={})
        db = Db(config, clock=clock, retry=IMPATIENT, lane=contestant.lane)
        await db.migrator.upgrade()
        await db.open()
        return cls(contestant.name, db, provisioner)

    async def close(self) -> None:
        """Close the store and remove its database."""
        await self.db.close()
        self._provisioner.close()

    async def empty(self) -> None:
        """Delete all rows and forget everything; ids go on."""
        async with self.db._engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                await connection.execute(delete(table))
        self._remembered = Remembered()

    async def answer(self, call: Call, *, outside: bool = False) -> object:
        """Make a call.

        Args:
            call: The call.
            outside: Beside the transaction that is open.

        Returns:
            The normal form of what it gave or raised.
        """
        store = getattr(self.db if outside else self.stores, call.store)
        args = [self._remembered.resolve(argument) for argument in call.args]
        given: list[Any] = []

        async def operation() -> object:
            given.append(await getattr(store, call.method)(*args, **call.kwargs))
            return normal_answer(call.store, call.method, given[0], self._remembered.labels)

        answer = await self._caught(operation(), call.store)
        if given:
            self._remembered.note(call, given[0])
        return answer

    async def begin(self) -> object:
        """Open a transaction, for all calls until it ends."""
        self._before = self._remembered.copy()
        self._transaction = self.db.transaction()

        async def operation(transaction: AbstractAsyncContextManager[Stores]) -> None:
            self.stores = await transaction.__aenter__()

        return await self._caught(operation(self._transaction), "transaction")

    async def end(self, error: Exception | None = None) -> object:
        """End the transaction.

        Args:
            error: What leaves its block, if it is not to be committed.

        Returns:
            The normal form of what that raises.
        """
        if self._transaction is None:
            raise AssertionError(self.name)
        kind = None if error is None else type(error)
        leaving = self._transaction.__aexit__(kind, error, None)
        self._transaction = None
        self.stores = self.db
        answer = await self._caught(leaving, "transaction")
        if error is not None or answer is not None:
            self._remembered = self._before
        return answer

    async def content(self) -> dict[str, object]:
        """Give the normal form of all rows by table, in the order of their keys."""
        async with self.db._engine.connect() as connection:
            return {
                table.name: self._rows(table, (await connection.execute(_all(table))).all())
                for table in metadata.sorted_tables
            }

    def _rows(self, table: Table, rows: Any) -> list[object]:
        kind = _KIND_OF_TABLE.get(table.name, table.name)
        return [
            {
                name: normal(value, self._remembered.labels, kind if name == "id" else None)
                for name, value in zip(table.columns.keys(), row, strict=True)
            }
            for row in rows
        ]

    async def _caught(self, operation: Awaitable[object], store: str) -> object:
        try:
            return await operation
        except Exception as error:  # noqa: BLE001 - whatever comes out is compared
            labels = self._remembered.labels
            return normal_error(error, store, labels, self.db._location)


def _all(table: Table) -> Select[Any]:
    order = _ORDER.get(table.name) or table.primary_key.columns.keys()
    return select(table).order_by(*(table.columns[name] for name in order))


def _pick(known: list[Any] | None, number: int, otherwise: Any) -> Any:
    return known[-1 - number % len(known)] if known else otherwise
