"""`docs/writing-a-backend.md` documents every hook, exactly as it is, and its code runs.

The blocks of the hooks that `teleclaude-minimal` has are that distribution, which the conformance
kit proves. With the other blocks added to it, every hook is there, and each is used here.
"""

from __future__ import annotations

import inspect
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from copies import Told
from fake_backends import install_backend
from teleclaude import backends
from teleclaude.backends import CONTRACT_VERSION, REQUIRED_HOOKS, ErrorKind, LogicalType, hookspecs
from teleclaude.config import load_config
from teleclaude.hook import quick
from teleclaude.hook.events import Event
from teleclaude.hook.writing import write_manifest
from teleclaude.store import Db
from teleclaude.store.transfer import CopyOptions, Outcome, copy_store

if TYPE_CHECKING:
    from fake_backends import InstallBackend
    from teleclaude.backends import BackendSettings
    from teleclaude.config import Config

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "writing-a-backend.md").read_text(encoding="utf-8")
MINIMAL = REPOSITORY / "tests" / "third_party" / "teleclaude-minimal"
MODULE = (MINIMAL / "src" / "teleclaude_minimal" / "__init__.py").read_text(encoding="utf-8")
__all__ = ["install_backend"]

HOOKS = {
    name: inspect.signature(value)
    for name, value in vars(hookspecs).items()
    if name.startswith("teleclaude_")
}


class Entry(NamedTuple):
    """A hook as the page describes it."""

    chapter: str
    heading: str
    text: str


def entries() -> dict[str, Entry]:
    """Take the page apart."""
    found = {}
    for chapter in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        title, *sections = re.split(r"^### ", chapter, flags=re.MULTILINE)
        for section in sections:
            heading, _, text = section.partition("\n")
            found[heading.partition("(")[0]] = Entry(title.partition("\n")[0], heading, text)
    return found


def test_every_hook_is_documented() -> None:
    """Each hook has its place on the page, and no hook is there that does not exist."""
    assert list(entries()) == list(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_heading_is_the_signature(hook: str) -> None:
    """The heading names the arguments in their order."""
    assert entries()[hook].heading == f"{hook}({', '.join(HOOKS[hook].parameters)})"


@pytest.mark.parametrize("hook", HOOKS)
def test_arguments_and_result_are_explained_with_their_types(hook: str) -> None:
    """Each argument and the result has a line of its own with the type the code has."""
    signature = HOOKS[hook]
    expected = [
        *(f"`{name}` (`{each.annotation}`)" for name, each in signature.parameters.items()),
        f"Returns (`{signature.return_annotation}`)",
    ]
    assert re.findall(r"^- (.+?): ", entries()[hook].text, re.MULTILINE) == expected


@pytest.mark.parametrize("hook", HOOKS)
def test_it_is_said_when_a_hook_is_called(hook: str) -> None:
    """Whoever implements a hook has to know when it is called, or what taking part means."""
    assert re.search(r"\b([Cc]alled|tried once)\b", entries()[hook].text)


@pytest.mark.parametrize("hook", HOOKS)
def test_required_and_optional_hooks_are_told_apart(hook: str) -> None:
    """A hook is in the chapter of its kind; an optional one says what happens without it."""
    entry = entries()[hook]
    required = hook in REQUIRED_HOOKS
    assert entry.chapter == ("Required hooks" if required else "Optional hooks")
    assert ("Left out" in entry.text) is not required


def test_the_logical_types_are_listed() -> None:
    """The table has every kind of column."""
    listed = re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)
    assert listed == [kind.name for kind in LogicalType]


def test_the_contract_in_the_example_is_the_current_one() -> None:
    """Who copies the example gets a backend that this version accepts."""
    assert f"TELECLAUDE_CONTRACT = {CONTRACT_VERSION}\n" in PAGE


def test_what_the_page_uses_of_the_package_exists() -> None:
    """Every name the page gives as one of `teleclaude.backends` is public there."""
    used = set(re.findall(r"`teleclaude\.backends\.(\w+)", PAGE)) - {"hookspecs"}
    assert used <= set(backends.__all__)


def test_the_kinds_of_error_that_are_mentioned_exist() -> None:
    """The advice on classification uses the contract's words."""
    text = entries()["teleclaude_classify_error"].text
    assert set(re.findall(r"`([A-Z_]{4,})`", text)) <= set(ErrorKind.__members__)


# --- the examples -------------------------------------------------------------------------------


def blocks(language: str, text: str = PAGE) -> list[str]:
    """Give the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def squeezed(code: str) -> str:
    """Take the blank lines out: the page needs fewer of them."""
    return "\n".join(line for line in code.splitlines() if line.strip())


def is_minimal(block: str) -> bool:
    """Say whether an example is part of the minimal backend, or one of those it can do without."""
    hooks = re.findall(r"def (teleclaude_\w+)", block)
    return all(f"def {hook}(" in MODULE for hook in hooks)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_an_example(hook: str) -> None:
    """The example of a hook stands where the hook is explained."""
    assert f"def {hook}(" in "".join(blocks("python", entries()[hook].text))


def test_the_page_is_the_minimal_backend() -> None:
    """Who copies the blocks in their order gets the module that the conformance kit proves."""
    *module, kit = [block for block in blocks("python") if is_minimal(block)]
    assert squeezed("\n".join(module)) == squeezed(MODULE)
    assert kit.strip() == (MINIMAL / "tests" / "test_conformance.py").read_text("utf-8").strip()
    (project,) = blocks("toml")
    assert project.strip() == (MINIMAL / "pyproject.toml").read_text("utf-8").strip()


class Configure(Protocol):
    """Gives the configuration of a database of the backend that has every hook of the page."""

    def __call__(self, file: str, directory: str) -> Config: ...


@pytest.fixture
def configure(install_backend: InstallBackend, tmp_path: Path) -> Configure:
    more = [block for block in blocks("python") if not is_minimal(block)]
    install_backend("complete", "\n".join([MODULE, *more]))

    def configure(file: str, directory: str) -> Config:
        path = tmp_path / directory / "data.db"
        (tmp_path / file).write_text(f"database: {{engine: complete, path: {path}}}")
        return load_config(tmp_path / file, environ={})

    return configure


@pytest.fixture
def complete(configure: Configure) -> Config:
    """The configuration of a database that does not exist yet."""
    return configure("teleclaude.yml", "new")


async def test_the_examples_together_are_a_complete_backend(complete: Config) -> None:
    """With all examples, no hook is left to the core's portable answers."""
    assert [hook for hook in HOOKS if not complete.backend.implements(hook)] == []


async def test_the_example_of_an_adoption(complete: Config) -> None:
    """What an earlier program left is found and taken over, after a copy was made."""
    with closing(sqlite3.connect(_made(complete.database))) as old, old:
        old.execute("CREATE TABLE preferences (name TEXT, content TEXT)")
        old.execute("INSERT INTO preferences VALUES ('colour', 'green')")
    db = Db(complete)
    done = await db.migrator.upgrade()
    assert done.adoption is not None
    assert done.adoption.rows == {"system_settings": 1}
    assert done.backup is not None
    async with db:
        assert await db.settings.all() == {"colour": "green"}
        assert await db.migrator.check() == []


def _made(settings: BackendSettings) -> Path:
    path = Path(settings.location)
    path.parent.mkdir()
    return path


async def test_the_examples_for_copies(complete: Config, configure: Configure) -> None:
    """A store of the complete backend is copied into another: rows, and numbers once given."""
    other = configure("other.yml", "other")
    db = Db(complete)
    await db.migrator.upgrade()
    async with db:
        await db.settings.set("key", "value")
        for _ in range(2):
            await db.notification_outbox.enqueue("mail", "a@b", "text")
    report = await copy_store(complete, other, CopyOptions(), Told())
    assert report.outcome is Outcome.COPIED
    async with Db(other) as copy:
        assert await copy.settings.all() == {"key": "value"}
        assert await copy.notification_outbox.enqueue("mail", "a@b", "text") == 3


async def test_the_example_of_a_quick_write(complete: Config, tmp_path: Path) -> None:
    """An event of a hook is stored by it, and a schema of another version is noticed."""
    environ = {"HOME": str(tmp_path), "TELECLAUDE_CONFIG_PATH": str(complete.path)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.environ", environ)
        db = Db(complete)
        await db.migrator.upgrade()
        async with db:
            assert await write_manifest(str(complete.path), environ)
            assert quick.enqueue(Event("session", "Stop", {"a": 1}), None)
            (row,) = await db.hook_outbox.peek(2)
            assert (row.session_id, row.event_type, row.payload) == ("session", "Stop", {"a": 1})
        with closing(sqlite3.connect(complete.database.location)) as connection, connection:
            connection.execute("DELETE FROM alembic_version")
        assert not quick.enqueue(Event("session", "Stop", {}), None)


async def test_the_examples_do_what_they_are_for(complete: Config, tmp_path: Path) -> None:
    """The optional hooks of the page work: storage, search, backup, housekeeping, lock holder."""
    db = Db(complete)
    assert (await db.migrator.upgrade()).changed
    async with db:
        saved = await db.memory.save("words that can be found")
        await db.memory.save("others")
        assert [found.id for found in await db.memory.search("foun* that")] == [saved.id]
        await db.memory.delete(saved.id)
        assert await db.memory.search("found") == []
        assert await db.maintain() == ["statistics refreshed"]
        assert await db.migrator.check() == []
    backend, settings = complete.backend, complete.database
    engine = backend.create_engine(settings)
    assert await backend.backup(engine, settings, tmp_path / "copy") == tmp_path / "copy"
    assert backend.native_backup((tmp_path / "copy").read_bytes()[:512])
    assert await backend.backup(engine, settings) != await backend.backup(engine, settings)
    await engine.dispose()
    assert await backend.lock_holder(settings, "daemon") is None
    async with backend.instance_lock(settings, "daemon") as lock:
        assert await backend.lock_holder(settings, "daemon") == lock.holder
    assert await backend.lock_holder(settings, "daemon") is None
