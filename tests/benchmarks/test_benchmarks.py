"""The benchmarks still work, and judge what they measured as they should.

How fast anything is, no test says: that depends on the machine, and on what else it does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import tables
from benchmarks.cases import CASES, CLAIMED, claimed
from benchmarks.measuring import Measure, measure, ratio
from benchmarks.page import page
from benchmarks.plot import plot
from benchmarks.targets import TARGETS, Target, verdict, verdicts
from benchmarks.workbench import Claim
from store_fixtures import ENGINES

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]

BOTH_TASKS = 2


@pytest.fixture(scope="module", params=ENGINES)
def quick(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a quick run of the parts that need no other queue leaves behind."""
    file = tmp_path_factory.mktemp("benchmarks") / "numbers.json"
    parts = ["operations", "sizes", "outbox", "processes"]
    command = [sys.executable, "-m", "benchmarks", *parts, "--quick", "--engine", request.param]
    subprocess.run([*command, "--json", str(file)], cwd=ROOT, check=True, timeout=110)
    return json.loads(file.read_text())


def test_a_quick_run_measures_everything_without_a_fault(quick: Any) -> None:
    """Every operation ran with one task and with many, and no row was lost or doubled."""
    ((engine, results),) = quick["engines"].items()
    assert len(results["operations"]) == BOTH_TASKS * len(CASES)
    assert results["sizes"]
    assert {"teleclaude --help", "teleclaude run"} <= {it["process"] for it in results["processes"]}
    faults = next(it for it in TARGETS if it.name.startswith("errors"))
    judged = verdict(faults, engine, results)
    assert (judged.value, judged.met) == (0, judged.total)


def test_the_floor_does_what_the_store_does(quick: Any) -> None:
    """Each floor ran as often as the store, and without errors."""
    ((_, results),) = quick["engines"].items()
    floors = [
        (row["operation"], name, one["errors"])
        for row in results["operations"]
        for name, one in row["measures"].items()
        if name != "store"
    ]
    assert floors
    assert [it for it in floors if it[2]] == []


def test_a_page_and_a_plot_come_out(quick: Any) -> None:
    """The page has every target of the engine and every operation; the plot is well-formed."""
    text = page(quick)
    assert all(f"| {case.name} | 64 |" in text for case in CASES)
    assert all(target.name in text for target in TARGETS)
    assert "quick run" in text
    assert ET.fromstring(plot(quick["engines"])).tag.endswith("svg")


async def test_an_error_is_counted_and_not_timed() -> None:
    """An operation that fails does not count as one that was fast."""

    async def operation(number: int) -> int:
        if number % 2:
            raise ValueError(number)
        return number

    results: list[int] = []
    found = await measure(operation, 10, tasks=3, results=results)
    assert found.errors == 5
    assert sorted(results) == [0, 2, 4, 6, 8]


async def test_what_never_succeeds_stops_the_run() -> None:
    """There is nothing to measure where every operation fails, so the reason is shown."""

    async def operation(number: int) -> None:
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        await measure(operation, 3, tasks=1)


def test_a_ratio_is_of_the_same_round() -> None:
    """What counts is the median of the rounds' ratios, not the ratio of two medians."""
    ours = [Measure(rate, 0, 0) for rate in (100, 400, 900)]
    theirs = [Measure(rate, 0, 0) for rate in (50, 800, 100)]
    assert ratio(ours, theirs) == 2


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (range(2 * CLAIMED), 0),
        ([*range(CLAIMED), *range(CLAIMED)], CLAIMED),
        (range(2 * CLAIMED - 1), 1),
    ],
    ids=["all once", "doubled", "missing"],
)
async def test_a_row_that_is_doubled_or_missing_is_found(ids: Sequence[int], expected: int) -> None:
    """Two claims must give twice as many rows as one asks for, none of them twice."""
    rows = [Claim(it, "token") for it in ids]
    found: Any = await claimed(None, [rows[:CLAIMED], rows[CLAIMED:]])  # type: ignore[arg-type]
    assert found == expected


@pytest.mark.parametrize(
    ("at_most", "values", "value", "met"),
    [
        (False, {"a": 1.0, "b": 0.5}, 0.5, 1),
        (True, {"a": 1.0, "b": 0.5}, 1.0, 1),
        (False, {"a": 0.8, "b": 0.9}, 0.8, 2),
        (False, {}, None, 0),
    ],
)
def test_a_target_is_judged_by_the_worst(
    at_most: bool,  # noqa: FBT001 - a parameter of the test
    values: dict[str, float],
    value: float | None,
    met: int,
) -> None:
    """One operation that misses a target makes it missed; nothing measured is not met."""
    bound = 0.6 if at_most else 0.7
    target = Target("it", {"sqlite": bound}, lambda _: values.items(), at_most=at_most)
    judged = verdict(target, "sqlite", {})
    assert (judged.value, judged.met, judged.total) == (value, met, len(values))
    assert judged.is_met is (value is not None and met == len(values))


def test_the_table_says_by_how_much_a_target_is_missed() -> None:
    """Half of what is wanted is missed by 50 percent, and the worst is named."""
    target = Target("it", {"sqlite": 2.0}, lambda _: {"good": 3.0, "bad": 1.0}.items())
    text = tables.targets([verdict(target, "sqlite", {})])
    assert "| ≥ 2 | 1.00 | **missed by 50%**: 1 of 2 meet it; the worst: bad |" in text


def test_nothing_measured_is_said() -> None:
    """Without results, every target is reported as not measured."""
    assert tables.targets(verdicts({})).count("not measured") == len(verdicts({}))
