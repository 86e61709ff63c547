"""What the design forbids: engine names in the core, and imports that point the wrong way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import teleclaude

if TYPE_CHECKING:
    from collections.abc import Iterator

CORE = Path(teleclaude.__file__).parent
REPOSITORY = Path(__file__).parents[1]

# Engines and drivers. Docstrings and comments may name them; code may not.
ENGINE = re.compile(
    r"sqlite|postgres|pgsql|asyncpg|psycopg|libpq|pgbouncer|mysql|mariadb|asyncmy|oracle|mssql"
    r"|duckdb|cockroach",
    re.IGNORECASE,
)
THE_ONE_PLACE = "DEFAULT_ENGINE"


def violations(tree: ast.Module) -> list[str]:
    """Say where code names an engine, asks a dialect for its name or imports one."""
    allowed = set(_allowed(tree))
    found: list[str] = []
    for node in ast.walk(tree):
        if node in allowed:
            continue
        line = getattr(node, "lineno", 0)
        found += [f"line {line}: {word!r}" for word in _words(node) if ENGINE.search(word)]
        if any(name.startswith("sqlalchemy.dialects") for name in _imported(node)):
            found.append(f"line {line}: imports sqlalchemy.dialects")
        if isinstance(node, ast.Attribute) and node.attr in {"name", "driver"}:
            owner = node.value
            if getattr(owner, "attr", getattr(owner, "id", "")) == "dialect":
                found.append(f"line {line}: dialect.{node.attr}")
    return found


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        module = getattr(node, "module", None)
        for alias in node.names:
            yield f"{module}.{alias.name}" if module else alias.name


def _allowed(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value  # a docstring, of whatever it documents
    for statement in tree.body:
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.target.id == THE_ONE_PLACE
            and statement.value is not None
        ):
            yield statement.value


def _words(node: ast.AST) -> Iterator[str]:
    """Give every name and text a node of the tree carries itself."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        yield str(node.value)
    for field in ("name", "id", "attr", "arg", "asname", "module", "rest", "names", "kwd_attrs"):
        value = getattr(node, field, None)
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str):
                yield word


def core_modules() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


@pytest.mark.parametrize("module", core_modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_names_no_engine(module: Path) -> None:
    """No text and no name in the core's code is an engine's, a driver's or a plugin's."""
    assert violations(ast.parse(module.read_text(encoding="utf-8"))) == []


def test_the_default_engine_is_in_one_place() -> None:
    """The one exception is assigned exactly once in the whole core."""
    assigned = [
        module
        for module in core_modules()
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id == THE_ONE_PLACE
    ]
    assert len(assigned) == 1


@pytest.mark.parametrize(
    "code",
    [
        "x = 'SQLite'",
        "x = f'a {y} postgresql'",
        "x = b'mysql'",
        "import asyncpg",
        "import a as psycopg",
        "from sqlalchemy.dialects import sqlite",
        "import sqlalchemy.dialects",
        "from sqlalchemy import dialects",
        "from sqlalchemy.dialects.firebird import x",
        "from teleclaude_postgres import x",
        "sqlite_path = 1",
        "def f(mysql): ...",
        "def is_postgres(): ...",
        "class Sqlite: ...",
        "f(sqlite=1)",
        "x.sqlite",
        "global sqlite",
        "try: ...\nexcept E as sqlite: ...",
        "match x:\n case {'a': 1, **mysql}: ...",
        "def f():\n DEFAULT_ENGINE: Final = 'sqlite'",
        "DEFAULT_ENGINE: Final = 'x'\nOTHER: Final = 'sqlite'",
        "x.dialect.name",
        "dialect.name == y",
        "dialect.driver",
    ],
)
def test_a_violation_is_found(code: str) -> None:
    """Each way of naming an engine in code is noticed."""
    assert violations(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        "'''About SQLite.'''",
        "def f():\n '''On PostgreSQL.'''",
        "x = 1  # as SQLite does",
        "DEFAULT_ENGINE: Final = 'sqlite'",
        "x.dialect.update_returning",
        "engine.name",
    ],
)
def test_what_is_allowed_is_not_found(code: str) -> None:
    """Documentation, the default and questions about abilities are fine."""
    assert violations(ast.parse(code)) == []


def test_imports_point_one_way() -> None:
    """The import contracts of pyproject.toml hold."""
    pytest.importorskip("importlinter", reason="import-linter is part of the lint environment")
    command = (
        "import sys; from importlinter.cli import lint_imports;"
        "sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
