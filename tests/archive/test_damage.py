"""Files that are not archives, not any more or not for this TeleClaude: nothing is written."""

from __future__ import annotations

import gzip
import io
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from archives import archived, dumped, forged, lines_of, restored, sealed
from copies import Told
from stores import fill
from teleclaude.errors import (
    BackupError,
    MigrationError,
    StoreUnavailableError,
    TeleclaudeError,
)
from teleclaude.store import Db
from teleclaude.store.archive import back_up_natively
from teleclaude.store.archive.reading import check_seal
from teleclaude.store.models import metadata
from teleclaude.store.transfer.side import Side
from teleclaude.testing.rows import plain_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioning import Provisioner
    from store_fixtures import Configure
    from teleclaude.config import Config

TABLES = metadata.sorted_tables


@pytest_asyncio.fixture
async def archive(migrated_config: Config, tmp_path: Path) -> bytes:
    """An archive with three rows of every table."""
    await fill(migrated_config, {table: plain_rows(table, 3) for table in TABLES})
    return await archived(migrated_config, tmp_path / "good")


@pytest.fixture
def target(provisioner: Provisioner, configure: Configure) -> Iterator[Config]:
    """Another database, without any tables."""
    section = provisioner.section()
    yield configure(section)
    provisioner.drop(section)


async def refusal(file: Path, target: Config) -> str:
    """Fail to restore, without a trace in the target."""
    messages = set()
    for options in ({}, {"dry_run": True}):
        with pytest.raises(BackupError) as failure:
            await restored(file, target, **options)
        messages.add(str(failure.value))
    side = Side(target)
    with suppress(StoreUnavailableError):  # there is no database at all
        assert await side.migrator.current() is None
        assert await side.migrator.count_rows() == {}
    await side.close()
    (message,) = messages
    return message


# --- every byte ---------------------------------------------------------------------------------


async def is_sealed(content: bytes) -> bool:
    """Say whether content passes for complete and unaltered."""
    try:
        await check_seal(io.BytesIO(content), Path("archive"))
    except BackupError:
        return False
    return True


async def test_every_changed_byte_is_noticed(archive: bytes) -> None:
    """Whichever one it is, and whichever bit of it."""
    assert await is_sealed(archive)
    for position in range(len(archive)):
        changed = bytearray(archive)
        changed[position] ^= 1 << position % 8
        assert not await is_sealed(bytes(changed)), position


async def test_every_end_is_noticed(archive: bytes) -> None:
    """An archive that was cut off anywhere, or goes on, is none."""
    for length in range(len(archive)):
        assert not await is_sealed(archive[:length]), length
    for more in (b"\0", b"\n", archive, gzip.compress(b"{}\n")):
        assert not await is_sealed(archive + more)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off at the end": lambda archive: archive[:-1],
    "cut off in the middle": lambda archive: archive[: len(archive) // 2],
    "cut off at the beginning": lambda archive: archive[:5],
    "without its seal": lambda archive: archive[: -len(sealed([])) + len(gzip.compress(b""))],
    "changed at the beginning": lambda archive: archive[:4] + b"\1" + archive[5:],
    "changed in the middle": lambda archive: (
        archive[:900] + bytes([archive[900] ^ 1]) + archive[901:]
    ),
    "with something behind it": lambda archive: archive + b"\0",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
async def test_damage(
    archive: bytes, target: Config, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """It is refused before anything is written, and what to do is said."""
    (tmp_path / "bad").write_bytes(damage(archive))
    message = await refusal(tmp_path / "bad", target)
    assert "bad cannot be used: it is not complete, or was altered. Nothing was written." in message


# --- what is wrong although every hash is right -------------------------------------------------


def header(**changes: object) -> Callable[[list[Any]], list[Any]]:
    """Change the first line."""
    return lambda documents: [{**documents[0], **changes}, *documents[1:]]


def replaced(old: object, new: object) -> Callable[[list[Any]], list[Any]]:
    """Change values of rows."""

    def is_old(value: object) -> bool:
        return type(value) is type(old) and value == old

    def change(documents: list[Any]) -> list[Any]:
        assert any(is_old(value) for one in documents if isinstance(one, list) for value in one)
        return [
            [new if is_old(value) else value for value in one] if isinstance(one, list) else one
            for one in documents
        ]

    return change


def swapped(documents: list[Any]) -> list[Any]:
    """Exchange the first two rows."""
    return [*documents[:2], documents[3], documents[2], *documents[4:]]


FLAG = (True, 1.0)

FORGERIES: dict[str, tuple[Callable[[list[Any]], list[Any]], str]] = {
    "format": (header(version=2), "has format 2; this version of TeleClaude reads format 1"),
    "newer": (header(revision="9999"), "at revision 9999 .* needs 0001.* Upgrade TeleClaude: pip"),
    "tables": (header(tables=[]), "its tables are not those of its revision"),
    "something else": (header(archive="?"), "it holds something else"),
    "no table": (lambda all_: [all_[0], *all_[6:]], "agent_availability is not where it should be"),
    "row missing": (lambda all_: [*all_[:3], *all_[4:]], "are not those that were written"),
    "order": (swapped, "agent_availability are not in the order of their keys"),
    "short row": (lambda all_: [*all_[:2], [1], *all_[3:]], "a row of agent_availability is not"),
    "no JSON": (lambda all_: [*all_[:2], b"[NaN\n", *all_[3:]], "a row of agent_availability is"),
    "no line": (lambda all_: [*all_[:2], b"{\n", *all_[3:]], "a line is not what it should be"),
    "text": (replaced("agent 1", "agent\0"), "agent_availability.agent contains a NUL character"),
    "null": (replaced("agent 0", None), "agent_availability.agent must not be null"),
    "number": (replaced("agent 1", 7), "agent_availability.agent must be text, not int"),
    "flag": (replaced(*FLAG), "agent_availability.available must be true or false"),
    "instant": (replaced("2024-02-29T23:59:59.999999+00:00", "noon"), "is not an ISO 8601 date"),
    "document": (
        replaced({"number": 0, "of": "payload"}, "x"),
        "hook_outbox.payload must be a JSON",
    ),
    "integer": (replaced(0, 2**63), "does not fit into 64 bits"),
    "end missing": (lambda all_: all_[:-1], "pending_message_deletions"),
    "more tables": (lambda all_: [*all_, all_[-1]], "its end is not the one"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_archive(
    archive: bytes, target: Config, tmp_path: Path, forgery: str
) -> None:
    """Whatever it holds is judged before anything is written."""
    change, why = FORGERIES[forgery]
    (tmp_path / "bad").write_bytes(forged(change(lines_of(archive))))
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(await refusal(tmp_path / "bad", target))


async def test_an_honest_forgery(archive: bytes, target: Config, tmp_path: Path) -> None:
    """What the other tests change is an archive as long as they change nothing."""
    (tmp_path / "copy").write_bytes(forged(lines_of(archive)))
    assert (await restored(tmp_path / "copy", target)).copied == 3 * len(TABLES)


async def test_lines_that_end_nowhere(archive: bytes, target: Config, tmp_path: Path) -> None:
    """A sealed file whose content stops in the middle is refused."""
    lines = [dumped(document) for document in lines_of(archive)]
    (tmp_path / "bad").write_bytes(sealed(lines[:9]))
    assert "cannot be used" in await refusal(tmp_path / "bad", target)


# --- what is no archive at all ------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", b"database: {}\n" * 1_000])
async def test_another_file(target: Config, tmp_path: Path, content: bytes) -> None:
    """It is said that it is no archive."""
    (tmp_path / "file").write_bytes(content)
    assert "file is not an archive" in await refusal(tmp_path / "file", target)


async def test_no_file(target: Config, tmp_path: Path) -> None:
    """A file that is not there, or is a directory, is named."""
    assert "missing cannot be read: No such file" in await refusal(tmp_path / "missing", target)
    assert "cannot be read: Is a directory" in await refusal(tmp_path, target)


async def test_a_copy_that_the_engine_made(
    migrated_config: Config, target: Config, tmp_path: Path
) -> None:
    """What it is and how it is used is said, by the engine that made it."""
    if not migrated_config.backend.implements("teleclaude_backup"):
        return
    await back_up_natively(migrated_config, tmp_path / "copy")
    message = await refusal(tmp_path / "copy", target)
    assert f"copy is a database of the engine {migrated_config.backend.engine}" in message
    assert "db copy --from" in message


async def test_an_archive_that_changes_while_it_is_restored(
    archive: bytes, target: Config, tmp_path: Path
) -> None:
    """It is noticed, and what was loaded is not usable."""
    file = tmp_path / "archive"
    file.write_bytes(archive)

    class Changing(Told):
        def begin(self, step: str, table: str, total: int) -> None:
            super().begin(step, table, total)
            if step == "copy":
                documents = lines_of(archive)
                documents[2][3] = "changed"
                file.write_bytes(forged(documents))

    with pytest.raises(TeleclaudeError):
        await restored(file, target, Changing())
    with pytest.raises(MigrationError, match="was not finished"):
        await Db(target).open()
    await restored(tmp_path / "good", target, replace=True)
