"""What the wheels and source distributions contain, and what they claim to need."""

from __future__ import annotations

import re
import tarfile
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import ZipFile

import pytest

if TYPE_CHECKING:
    from email.message import Message

REPOSITORY = Path(__file__).parents[2]


class Project(NamedTuple):
    """A distribution, and where its package lies."""

    name: str
    package: Path

    @property
    def stem(self) -> str:
        return self.name.replace("-", "_")

    @property
    def files(self) -> set[str]:
        """The package's files, relative to the directory it lies in."""
        return {
            path.relative_to(self.package.parent).as_posix()
            for path in self.package.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }


PROJECTS = [
    Project("teleclaude", REPOSITORY / "teleclaude"),
    *(
        Project(f"teleclaude-{engine}", source / f"teleclaude_{engine}")
        for engine in ("sqlite", "postgres")
        for source in [REPOSITORY / "plugins" / f"teleclaude-{engine}" / "src"]
    ),
]
each_project = pytest.mark.parametrize("project", PROJECTS, ids=lambda project: project.name)


@pytest.fixture
def wheel(distributions: Path, project: Project) -> ZipFile:
    (path,) = distributions.glob(f"{project.stem}-[0-9]*.whl")
    return ZipFile(path)


def metadata(wheel: ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return HeaderParser().parsestr(wheel.read(name).decode())


@each_project
def test_a_wheel_has_every_file_of_its_package_and_nothing_else(
    wheel: ZipFile, project: Project
) -> None:
    """A wheel installs the package as it lies in the repository: no test, no forgotten file."""
    installed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert installed == project.files


@each_project
def test_a_wheel_is_typed_and_licensed(wheel: ZipFile, project: Project) -> None:
    """Type checkers believe the annotations, and the licence goes with the code."""
    names = wheel.namelist()
    assert f"{project.stem}/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.parametrize("project", PROJECTS[:1], ids=lambda project: project.name)
@pytest.mark.parametrize("file", ["env.py", "versions/0001_canonical_schema.py"])
def test_the_core_brings_its_migrations(wheel: ZipFile, file: str) -> None:
    """Alembic's environment and the revisions are loaded by path, so they must be files."""
    assert f"teleclaude/migrations/{file}" in wheel.namelist()


@each_project
def test_a_source_distribution_holds_no_more_than_it_takes_to_build(
    distributions: Path, project: Project
) -> None:
    """The package, what describes it and its licence; tests and other projects stay out."""
    (path,) = distributions.glob(f"{project.stem}-[0-9]*.tar.gz")
    with tarfile.open(path) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    source = "" if project.package.parent == REPOSITORY else "src/"
    rest = files - {source + name for name in project.files}
    expected = {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
    assert rest - {"CHANGELOG.md"} == expected
    assert files - rest == {source + name for name in project.files}


@pytest.mark.parametrize(
    ("project", "brings"),
    [
        (PROJECTS[0], {"teleclaude-sqlite"}),
        (PROJECTS[1], {"teleclaude", "aiosqlite", "filelock"}),
        (PROJECTS[2], {"teleclaude", "asyncpg"}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_driver_comes_with_its_engine_only(wheel: ZipFile, brings: set[str]) -> None:
    """The core brings SQLite, each backend its own driver, and nobody another engine's."""
    particular = {*brings, "asyncpg", "aiosqlite", "filelock", "teleclaude-postgres"}
    needed = {
        re.split(r"[^\w-]", requirement)[0]
        for requirement in metadata(wheel).get_all("Requires-Dist", [])
        if "extra ==" not in requirement
    }
    assert needed & particular == brings


@pytest.mark.parametrize("project", PROJECTS[:1], ids=lambda project: project.name)
@pytest.mark.parametrize("extra", ["postgres", "postgresql"])
def test_an_extra_brings_postgresql(wheel: ZipFile, extra: str) -> None:
    """`pip install 'teleclaude[postgres]'` is the same as installing the backend."""
    requirements = metadata(wheel).get_all("Requires-Dist", [])
    assert f"teleclaude-postgres; extra == '{extra}'" in requirements
