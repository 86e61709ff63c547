"""The base of all tables, and short ways to declare a column of each logical type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Identity, MetaData, false, true
from sqlalchemy import text as sql_text
from sqlmodel import Field, SQLModel

from teleclaude.store.types import (
    BigInt,
    Flag,
    JsonDocument,
    Key,
    LongText,
    SurrogateKey,
    UtcDateTime,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Every constraint has a name, because a migration can only drop what it can name."""


class Model(SQLModel):
    """Base class of the tables."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING_CONVENTION)


# The helpers return `Any` because pydantic fields are declared by assigning to an attribute of
# another type. A constant default is also a server default, so that people's own SQL may leave the
# column out.


def key(*, primary_key: bool = False, **options: Any) -> Any:
    """Declare a key column."""
    return Field(sa_type=Key, primary_key=primary_key, **options)


def key_or_null(**options: Any) -> Any:
    """Declare a key column that may be null."""
    return Field(default=None, sa_type=Key, **options)


def key_with_default(default: str) -> Any:
    """Declare a key column with a constant default."""
    return Field(default=default, sa_type=Key, sa_column_kwargs={"server_default": default})


def text(default: str | None = None) -> Any:
    """Declare a text column that may be null, with an optional constant default."""
    # An empty string would be rendered as no default at all when models and database are compared.
    server_default = sql_text("''") if default == "" else default
    return Field(
        default=default, sa_type=LongText, sa_column_kwargs={"server_default": server_default}
    )


def searched_text(words_of: Callable[[Mapping[str, object]], str]) -> Any:
    """Declare a text column whose words are indexed, where the engine has an index for that.

    Args:
        words_of: Gives the words of a row from its other columns.
    """
    info = {"searched": True, "computed": words_of}
    return Field(default=None, sa_type=LongText, sa_column_kwargs={"info": info})


def required_text() -> Any:
    """Declare a text column."""
    return Field(sa_type=LongText)


def instant() -> Any:
    """Declare an instant."""
    return Field(sa_type=UtcDateTime)


def instant_or_null() -> Any:
    """Declare an instant that may be null."""
    return Field(default=None, sa_type=UtcDateTime)


def document() -> Any:
    """Declare a document."""
    return Field(sa_type=JsonDocument)


def document_or_null() -> Any:
    """Declare a document that may be null."""
    return Field(default=None, sa_type=JsonDocument)


def list_document() -> Any:
    """Declare a document that is an empty list by default."""
    return Field(
        default_factory=list, sa_type=JsonDocument, sa_column_kwargs={"server_default": "[]"}
    )


def flag(*, default: bool) -> Any:
    """Declare a flag."""
    server_default = true() if default else false()
    return Field(default=default, sa_type=Flag, sa_column_kwargs={"server_default": server_default})


def integer() -> Any:
    """Declare an integer."""
    return Field(sa_type=BigInt)


def integer_or_null() -> Any:
    """Declare an integer that may be null."""
    return Field(default=None, sa_type=BigInt)


def counter() -> Any:
    """Declare an integer that starts at zero."""
    return Field(default=0, sa_type=BigInt, sa_column_kwargs={"server_default": sql_text("0")})


def surrogate_key() -> Any:
    """Declare a primary key that the database counts up."""
    return Field(
        default=None,
        sa_type=SurrogateKey,
        primary_key=True,
        sa_column_args=[Identity(always=False)],
    )
