"""Claims under plans that the server may choose, but hardly does where a test can wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teleclaude.testing.outboxes import LEASE, ids

if TYPE_CHECKING:
    from provisioning import Section
    from store_fixtures import Configure, OpenDb
    from teleclaude.testing.fixtures import Execute

_WAYS = {
    "rows are claimed while more are found": (
        "seqscan",
        "bitmapscan",
        "hashagg",
        "hashjoin",
        "sort",
    ),
    "everything is read first": ("indexscan", "indexonlyscan", "bitmapscan"),
}


@pytest.mark.parametrize("without", _WAYS.values(), ids=list(_WAYS))
async def test_a_claim_gets_all_it_asks_for_under_any_plan(
    database_settings: Section,
    configure: Configure,
    open_db: OpenDb,
    execute: Execute,
    without: tuple[str, ...],
) -> None:
    """Several events of one session are claimed at once, however the server goes about it."""
    name = database_settings["dbname"]
    for way in without:
        execute(f'ALTER DATABASE "{name}" SET enable_{way} = off')
    db = await open_db(configure(database_settings))
    enqueued = [await db.hook_outbox.enqueue(session, "stop", {}) for session in "aaabab"]
    assert ids(await db.hook_outbox.claim(5, LEASE)) == enqueued[:5]
