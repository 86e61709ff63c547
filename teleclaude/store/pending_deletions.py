"""Messages that are still to be deleted for a session: `db.pending_deletions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from sqlalchemy import bindparam, delete, select

from teleclaude.errors import InvalidValueError
from teleclaude.store.columns import checked
from teleclaude.store.models import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teleclaude.store.context import StoreContext

DeletionType: TypeAlias = Literal["user_input", "feedback"]

_TABLE = metadata.tables["pending_message_deletions"]
_UNIQUE: Final = ("session_id", "message_id", "deletion_type")
_OF_SESSION: Final = (
    _TABLE.c.session_id == bindparam("session"),
    _TABLE.c.deletion_type == bindparam("kind"),
)
_LIST: Final = select(_TABLE.c.message_id).where(*_OF_SESSION).order_by(_TABLE.c.id)
_CLEAR: Final = delete(_TABLE).where(*_OF_SESSION)


class PendingDeletions:
    """Ids of messages by session and kind."""

    def __init__(self, context: StoreContext) -> None:
        """Make the store; `Db` and `db.transaction()` do."""
        self._executor = context.executor
        self._clock = context.clock
        self._add = context.upsert(_TABLE, _UNIQUE, ())

    async def list(
        self, session_id: str, deletion_type: DeletionType = "user_input"
    ) -> Sequence[str]:
        """List the ids of a session's messages, in the order in which they were added.

        Args:
            session_id: The session.
            deletion_type: Which kind of message.
        """
        rows = await self._executor.read(_LIST, _parameters(session_id, deletion_type))
        return [row[0] for row in rows]

    async def add(
        self, session_id: str, message_id: str, deletion_type: DeletionType = "user_input"
    ) -> None:
        """Note a message; noting it twice is no error.

        Args:
            session_id: The session.
            message_id: The message.
            deletion_type: Which kind of message.

        Raises:
            ConflictError: There is no such session.
        """
        _check(deletion_type)
        row = {
            "session_id": session_id,
            "message_id": message_id,
            "deletion_type": deletion_type,
            "created_at": self._clock(),
        }
        await self._executor.write(self._add, checked(_TABLE, row))

    async def clear(self, session_id: str, deletion_type: DeletionType = "user_input") -> int:
        """Forget all messages of a session.

        Args:
            session_id: The session.
            deletion_type: Which kind of message.

        Returns:
            How many there were.
        """
        parameters = _parameters(session_id, deletion_type)
        return (await self._executor.write(_CLEAR, parameters)).rowcount


def _parameters(session_id: str, deletion_type: str) -> dict[str, object]:
    _check(deletion_type)
    return {"session": session_id, "kind": deletion_type}


def _check(deletion_type: str) -> None:
    known = get_args(DeletionType)
    if deletion_type not in known:
        message = f"The deletion type must be {' or '.join(known)}, not {deletion_type!r}."
        raise InvalidValueError(message)
