"""The ways in which statements reach the database: what the executors need of each.

`engine_way` goes through the backend's engine, `lane_way` through its statement lane. Neither knows
about retries or about TeleClaude's errors: that is the executors' part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from sqlalchemy import Executable, Table

    from teleclaude.backends import Batch

    Parameters: TypeAlias = Mapping[str, object]
    Row: TypeAlias = Sequence[Any]

T = TypeVar("T")


class Written(NamedTuple):
    """What a changing statement did.

    Attributes:
        rowcount: How many rows it inserted, updated or deleted.
        rows: What its RETURNING clause gave, if it has one.
    """

    rowcount: int
    rows: Sequence[Row]


class Statements(Protocol):
    """Runs statements: each by itself, or all inside one transaction."""

    async def read(self, statement: Executable, parameters: Parameters) -> Sequence[Row]:
        """Run a SELECT and give its rows."""
        ...

    async def write(self, statement: Executable, parameters: Parameters) -> Written:
        """Run a changing statement."""
        ...

    async def insert(self, statement: Executable, parameters: Parameters) -> int:
        """Run an INSERT into a table with a surrogate key, and give the new row's key."""
        ...


class TransactionStatements(Statements, Protocol):
    """Runs statements inside an open transaction, one at a time."""

    async def write_many(self, statement: Executable, sets: Sequence[Parameters]) -> None:
        """Run a changing statement with each of some parameter sets."""
        ...


class Transaction(TransactionStatements, Protocol):
    """An open transaction, which somebody has to end."""

    async def commit(self) -> None:
        """Commit.

        Raises:
            CommitError: It failed.
        """
        ...

    async def end(self) -> None:
        """Give the connection back, rolling back what was not committed."""
        ...


class LoadingTransaction(Transaction, Protocol):
    """An open transaction on a connection of the backend's engine."""

    async def load(self, table: Table, rows: Iterable[Sequence[object]]) -> int:
        """Load many rows into a table, and say how many there were."""
        ...

    async def load_bound(self, table: Table, rows: Batch) -> bool:
        """Load rows that are bound already; see `Backend.load_bound`."""
        ...


class Way(Statements, Protocol):
    """A way to the database; its statements run by themselves."""

    @property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """The base classes of the exceptions that come out of the driver as they are."""
        ...

    async def begin(self) -> Transaction:
        """Open a transaction."""
        ...

    async def begin_loading(self) -> LoadingTransaction:
        """Open a transaction that can load many rows at once."""
        ...

    async def run(self, work: Callable[[TransactionStatements], Coroutine[Any, Any, T]]) -> T:
        """Run work that does nothing but run statements, in one transaction.

        Raises:
            CommitError: The COMMIT failed.
        """
        ...

    async def close(self) -> None:
        """Close what is not the engine's."""
        ...
