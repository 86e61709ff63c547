"""Text that is passed on as an instant is exactly what the store would write for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from teleclaude.store.stored_instants import as_written
from teleclaude.store.values import format_instant, load_instant

GOOD = format_instant(datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC))

OTHERS = (
    *("2024-02-29T23:59:59.999999Z", "2024-02-29T23:59:59.999999+01:00", "2024-02-29 23:59:59"),
    *("2024-02-29 23:59:59.999999+00:00", "2024-02-29T23:59:59.999999-00:00"),
    *("2023-02-29T23:59:59.999999+00:00", "2024-02-29T23:59:60.999999+00:00"),
    *("0000-02-29T23:59:59.999999+00:00", "2024-13-01T00:00:00.000000+00:00"),
    *("2024-02-2९T23:59:59.999999+00:00", "2024-02-29T23:59:59.999999+00:0", "", "\ud800" * 32),
    *(f"{GOOD} ", f"\n{GOOD}", 1709251199, datetime(2024, 2, 29, tzinfo=UTC), GOOD.encode()),
    *("0001-01-01T00:00:00.000000+00:00", "9999-12-31T23:59:59.999999+00:00"),
)


@pytest.mark.parametrize("other", OTHERS, ids=repr)
def test_anything_else_is_looked_at(other: object) -> None:
    """One value that is not written so is enough for the column to be read."""
    assert as_written([other]) is None
    assert as_written([GOOD, None, other, GOOD]) is None
    assert as_written([other, GOOD]) is None


def test_two_that_make_one_shape_together() -> None:
    """Where one text ends and the next begins matters."""
    assert as_written([GOOD[:-1], GOOD[-1] + GOOD]) is None
    assert as_written([GOOD[:-1], GOOD[-1]]) is None


def test_what_is_written_stays_as_it_is() -> None:
    """Text of the store and nulls pass unchanged."""
    start = datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    texts = [format_instant(start + timedelta(days=days)) for days in range(0, 3_652_000, 997)]
    assert [format_instant(load_instant(text, "x")) for text in texts] == texts
    given = [*texts, None]
    assert as_written(given) == given
    assert as_written([None, None]) == [None, None]
    assert as_written([]) == []
