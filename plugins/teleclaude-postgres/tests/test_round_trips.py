"""How often the server is asked, counted on the way to it: nothing is sent behind one's back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cutting_proxy import cutting_proxy
from teleclaude.testing.operations import OPERATIONS, set_the_scene

if TYPE_CHECKING:
    from provisioning import Section
    from store_fixtures import Configure, OpenDb
    from teleclaude.testing.clock import MutableClock


async def test_a_single_statement_is_one_round_trip(
    database_settings: Section, configure: Configure, open_db: OpenDb, clock: MutableClock
) -> None:
    """Once it is prepared, there is no BEGIN, no COMMIT, no ping and no reset around it."""
    round_trips = {}
    async with cutting_proxy(database_settings) as proxy:
        db = await open_db(configure(proxy.section))
        scene = await set_the_scene(db, clock)
        for entry, operation in OPERATIONS.items():
            if len(operation.sends) == 1:
                await operation.call(db, scene)
                before = proxy.round_trips
                await operation.call(db, scene)
                round_trips[entry] = proxy.round_trips - before
    assert len(round_trips) > 60
    assert round_trips == dict.fromkeys(round_trips, 1)


@pytest.mark.parametrize("changes", [1, 3])
async def test_a_transaction_is_two_round_trips_more(
    database_settings: Section,
    configure: Configure,
    open_db: OpenDb,
    *,
    changes: int,
) -> None:
    """Beside what it is for, a transaction costs a BEGIN and a COMMIT."""
    async with cutting_proxy(database_settings) as proxy:
        db = await open_db(configure(proxy.section))
        await db.settings.set("key", "prepared")
        before = proxy.round_trips
        async with db.transaction() as tx:
            for number in range(changes):
                await tx.settings.set("key", f"{number}")
        assert proxy.round_trips - before == changes + 2
