"""The pytest plugin: a required test may not be skipped, and a run ends with a report.

It is registered with the distribution, so pytest loads it wherever TeleClaude is installed. It does
nothing unless tests of the kit are run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from teleclaude.backends import Backend

KIT: Final = "teleclaude.testing.conformance"

_PROPERTY: Final = "teleclaude_conformance"
_UNKNOWN: Final = "an unknown backend"
_DESELECTED: Final = "teleclaude_deselected"
_DECLARED: Final = pytest.StashKey[bool]()


@dataclass
class Result:
    """What is known about one backend.

    Attributes:
        proven: How many tests passed, by area.
        failed: The tests that failed.
        absent: How many tests were skipped, by what the backend declared absent.
        functions: The test functions that were run or skipped.
        left_out: The optional hooks the backend leaves to the core's portable answers.
    """

    proven: Counter[str] = field(default_factory=Counter)
    failed: set[str] = field(default_factory=set)
    absent: Counter[str] = field(default_factory=Counter)
    functions: set[str] = field(default_factory=set)
    left_out: Sequence[str] = ()


def declare(
    item: pytest.Item, backend: Backend, absent: str | None, left_out: Sequence[str]
) -> None:
    """Note down for the report what a test is about.

    Args:
        item: The test.
        backend: The backend it tests.
        absent: What the backend declared absent, if the test is skipped because of it.
        left_out: The optional hooks that the backend does not have.
    """
    area = _area(item)
    if area is None:
        return
    item.stash[_DECLARED] = absent is not None
    title = f"{backend.engine} ({backend.distribution} {backend.version})"
    function = getattr(item, "originalname", item.name)
    item.user_properties.append((_PROPERTY, (title, area, function, absent, left_out)))


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the report."""
    line = "teleclaude_needs(*abilities): skipped where the backend declares one of them absent"
    config.addinivalue_line("markers", line)
    config.pluginmanager.register(Report(), f"{KIT}.report")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test of the kit fail that was skipped without a declaration."""
    report = yield
    area = _area(item)
    if report.skipped and area and not item.stash.get(_DECLARED, False):
        report.outcome = "failed"
        report.longrepr = (
            f"{item.nodeid} is required and was skipped. Only what a backend declares absent, by a "
            "capability or by leaving out an optional hook, may be skipped."
        )
    if report.failed and area and _PROPERTY not in dict(report.user_properties):
        # It failed before the backend was known, in the author's fixture for example.
        report.user_properties.append((_PROPERTY, (_UNKNOWN, area, item.name, None, ())))
    return report


class Report:
    """Collects results, also from other processes, and prints what they prove."""

    def __init__(self) -> None:
        """Begin without results."""
        self._results: dict[str, Result] = defaultdict(Result)
        self._deselected = 0

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count tests of the kit that are left out."""
        self._deselected += sum(_area(item) is not None for item in items)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the main process, if this is one of several, how many were left out."""
        output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_DESELECTED] = self._deselected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear how many were left out; each process leaves out the same."""
        output = getattr(node, "workeroutput", {})
        self._deselected = max(self._deselected, output.get(_DESELECTED, 0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the result of a phase of a test."""
        said: Any = dict(report.user_properties).get(_PROPERTY)
        if said is None:
            return
        title, area, function, absent, left_out = said
        result = self._results[title]
        result.left_out = left_out
        result.functions.add(function)
        if report.failed:
            result.failed.add(report.nodeid)
        elif report.when == "call" and report.passed:
            result.proven[area] += 1
        elif report.skipped and absent is not None:
            result.absent[absent] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the report of each backend that was tested."""
        early = self._results.pop(_UNKNOWN, None)
        if early is not None and not self._results:
            self._results[_UNKNOWN] = early
        for title, result in sorted(self._results.items()):
            result.failed |= early.failed if early else set()
            terminalreporter.section(f"conformance of {title}", sep="-")
            for line in _lines(result, self._deselected):
                terminalreporter.write_line(line)


def _lines(result: Result, deselected: int) -> Iterable[str]:
    for area, count in sorted(result.proven.items()):
        yield f"{area:<24} {count:>5} passed"
    for absent, count in sorted(result.absent.items()):
        yield f"declared absent: {absent} ({count} tests)"
    if result.left_out:
        yield f"left to the core: {', '.join(result.left_out)}"
    missing = sorted(_all_functions() - result.functions)
    if missing:
        yield f"not run: {len(missing)} of the tests, among them {missing[0]}"
    if deselected:
        yield f"deselected: {deselected} tests"
    if result.failed:
        yield f"NOT PROVEN: {len(result.failed)} tests failed."
    elif missing or deselected:
        yield "NOT PROVEN: only a part of the tests was run."
    else:
        yield f"PROVEN: {result.proven.total()} tests in {len(result.proven)} areas passed."


def _area(item: pytest.Item) -> str | None:
    function = getattr(item, "function", None)
    package, _, module = getattr(function, "__module__", "").rpartition(".")
    return module.replace("_", " ") if package == KIT else None


def _all_functions() -> set[str]:
    from teleclaude.testing import conformance  # noqa: PLC0415 - only where there is a report

    return {name for name in conformance.__all__ if name.startswith("test_")}
