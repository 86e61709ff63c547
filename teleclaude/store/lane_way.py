"""Running prepared statements on the backend's lane; the engine runs what cannot be prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from teleclaude.store.ways import Written

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from sqlalchemy import Executable

    from teleclaude.backends import LaneConnection, LaneTransaction, StatementLane
    from teleclaude.store.prepared import Prepared, Preparer
    from teleclaude.store.ways import (
        LoadingTransaction,
        Parameters,
        Row,
        TransactionStatements,
        Way,
    )

T = TypeVar("T")


class LaneWay:
    """Runs each statement by itself on the lane."""

    def __init__(self, lane: StatementLane, preparer: Preparer, engine: Way) -> None:
        """Make the way.

        Args:
            lane: The backend's lane.
            preparer: Prepares the statements.
            engine: Runs what cannot be prepared.
        """
        self._lane = lane
        self._preparer = preparer
        self._engine = engine

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """The driver's exceptions, which the lane lets out as they are."""
        return self._lane.driver_errors

    async def read(self, statement: Executable, parameters: Parameters) -> Sequence[Row]:
        """Run a SELECT."""
        prepared = self._preparer.prepare(statement, parameters)
        if prepared is None:
            return await self._engine.read(statement, parameters)
        result = await self._lane.run(prepared.statement, prepared.bind(parameters))
        return prepared.rows(result.rows)

    async def write(self, statement: Executable, parameters: Parameters) -> Written:
        """Run a changing statement."""
        prepared = self._preparer.prepare(statement, parameters)
        if prepared is None or not prepared.statement.changes:
            return await self._engine.write(statement, parameters)
        return await _write(self._lane, prepared, parameters)

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT."""
        with_key = self._preparer.with_key(statement)
        prepared = self._preparer.prepare(with_key, parameters) if with_key is not None else None
        if prepared is None:
            return await self._engine.insert(statement, parameters)
        return _key(await _write(self._lane, prepared, parameters))

    async def begin(self) -> OpenLaneTransaction:
        """Open a transaction."""
        return OpenLaneTransaction(await self._lane.begin(), self._preparer)

    async def begin_loading(self) -> LoadingTransaction:
        """Open a transaction of the engine's."""
        return await self._engine.begin_loading()

    async def run(self, work: Callable[[TransactionStatements], Coroutine[Any, Any, T]]) -> T:
        """Run work in a transaction."""
        return await self._lane.unit(
            lambda connection: work(LaneStatements(connection, self._preparer))
        )

    async def close(self) -> None:
        """Close the lane."""
        await self._lane.close()


class LaneStatements:
    """Runs statements on a connection of the lane that is inside a transaction."""

    def __init__(self, connection: LaneConnection, preparer: Preparer) -> None:
        """Make it; `LaneWay.run` does."""
        self._connection = connection
        self._preparer = preparer

    async def read(self, statement: Executable, parameters: Parameters) -> Sequence[Row]:
        """Run a SELECT."""
        prepared = self._prepared(statement, parameters)
        result = await self._connection.run(prepared.statement, prepared.bind(parameters))
        return prepared.rows(result.rows)

    async def write(self, statement: Executable, parameters: Parameters) -> Written:
        """Run a changing statement."""
        prepared = self._prepared(statement, parameters)
        return await _write(self._connection, prepared, parameters)

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT."""
        with_key = self._preparer.with_key(statement)
        prepared = self._prepared(statement if with_key is None else with_key, parameters)
        return _key(await _write(self._connection, prepared, parameters))

    async def write_many(self, statement: Executable, sets: Sequence[Parameters]) -> None:
        """Run a changing statement with each of some parameter sets."""
        prepared = self._prepared(statement, sets[0])
        values = [prepared.bind(parameters) for parameters in sets]
        await self._connection.run_many(prepared.statement, values)

    def _prepared(self, statement: Executable, parameters: Parameters) -> Prepared:
        prepared = self._preparer.prepare(statement, parameters)
        if prepared is None:
            # The engine cannot run it, for it is not on the connection of the transaction.
            message = f"This statement cannot be prepared: {type(statement).__name__}."
            raise NotImplementedError(message)
        return prepared


class OpenLaneTransaction(LaneStatements):
    """A transaction of the lane."""

    def __init__(self, transaction: LaneTransaction, preparer: Preparer) -> None:
        """Make it; `LaneWay.begin` does."""
        super().__init__(transaction, preparer)
        self._transaction: LaneTransaction | None = transaction

    async def commit(self) -> None:
        """Commit.

        Raises:
            CommitError: It failed.
        """
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            await transaction.commit()

    async def end(self) -> None:
        """Roll back what was not committed."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            await transaction.rollback()


async def _write(
    connection: LaneConnection | StatementLane, prepared: Prepared, parameters: Parameters
) -> Written:
    result = await connection.run(prepared.statement, prepared.bind(parameters))
    if prepared.statement.returns_rows:
        return Written(len(result.rows), prepared.rows(result.rows))
    return Written(result.rowcount, ())


def _key(written: Written) -> int:
    return int(written.rows[0][0])
