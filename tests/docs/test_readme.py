"""The README's commands are what CI runs, and no page links to nowhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "plugins/*/*.md")
    for path in REPOSITORY.glob(pattern)
)


def blocks(language: str) -> list[str]:
    """Give the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_there_are_two_commands_of_one_line() -> None:
    """One starts the daemon, one runs the tests; each is copied and pasted as a whole."""
    start, test = (block.rstrip("\n") for block in blocks("sh"))
    assert start.endswith("/teleclaude run")
    assert test.endswith("/tox")
    assert "\n" not in start + test


def test_ci_runs_the_readmes_test_command() -> None:
    """What CI runs last, so that it decides, is what the README tells people to run."""
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert script.splitlines()[-1] == blocks("sh")[1].rstrip("\n")


@pytest.mark.parametrize("command", blocks("sh"))
def test_the_commands_are_valid_and_install_what_is_there(command: str) -> None:
    """The shell understands the line, and the directories it installs from hold a distribution."""
    subprocess.run(["bash", "-n", "-c", command], check=True)
    for directory in re.findall(r" (\.(?:/plugins/\S+)?)(?= )", command):
        assert (REPOSITORY / directory / "pyproject.toml").is_file()


def test_five_lines_configure_postgresql() -> None:
    """The example is a configuration, no longer than promised."""
    (example,) = blocks("yaml")
    assert len(example.splitlines()) == 5
    assert yaml.safe_load(example)["database"]["engine"] == "postgresql"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page points to a file or directory of the repository."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []
