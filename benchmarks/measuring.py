"""How anything is measured: an operation is run many times by some tasks, in turns with others."""

from __future__ import annotations

import asyncio
import gc
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    Operation: TypeAlias = Callable[[int], Awaitable[object]]
    Round: TypeAlias = Callable[[], Awaitable["Measure"]]


@dataclass(frozen=True)
class Effort:
    """How much is done.

    Attributes:
        rounds: How often everything is measured; the median counts.
        scale: Multiplies the number of operations in each round.
        is_quick: Whether only to show that everything still works.
    """

    rounds: int = 5
    scale: float = 1.0
    is_quick: bool = False

    def count(self, usual: int, least: int = 1) -> int:
        """Scale a number of operations.

        Args:
            usual: The number at scale 1.
            least: How many there are at least.
        """
        return max(least, int(usual * self.scale))


QUICK: Final = Effort(rounds=1, scale=0.01, is_quick=True)


@dataclass(frozen=True)
class Measure:
    """How one round went.

    Attributes:
        per_second: Operations that succeeded, per second.
        p50: Seconds that half of them took at most.
        p99: Seconds that 99 of 100 took at most.
        errors: Operations that failed.
    """

    per_second: float
    p50: float
    p99: float
    errors: int = 0


class Summary(TypedDict):
    """The median of some rounds, and all their errors."""

    per_second: float
    p50: float
    p99: float
    errors: int


async def measure(
    operation: Operation, count: int, tasks: int, results: list[Any] | None = None
) -> Measure:
    """Run an operation so many times, spread over some tasks.

    Args:
        operation: Gets the numbers from 0 on.
        count: How many times.
        tasks: How many of them at once.
        results: Gets what those gave that succeeded. Left out, results are dropped, as a program
            does that has used them: millions of rows that are kept are looked through again and
            again by Python's garbage collection, in the middle of what is measured.
    """
    durations: list[float] = []
    errors: list[Exception] = []
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            start = perf_counter()
            try:
                result = await operation(number)
            except Exception as error:  # noqa: BLE001 - counted, and shown
                errors.append(error)
            else:
                durations.append(perf_counter() - start)
                if results is not None:
                    results.append(result)

    with _without_old_objects():
        start = perf_counter()
        await asyncio.gather(*(work() for _ in range(tasks)))
        elapsed = perf_counter() - start
    if not durations:
        raise errors[0]
    durations.sort()
    p50, p99 = (durations[len(durations) * part // 100] for part in (50, 99))
    return Measure(len(durations) / elapsed, p50, p99, len(errors))


@contextmanager
def _without_old_objects() -> Iterator[None]:
    """Let garbage collections look only at what is made meanwhile, whatever was there before."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def in_turns(rounds: int, contestants: Mapping[str, Round]) -> dict[str, list[Measure]]:
    """Measure each of some contestants in every round, from the first to the last and back.

    Args:
        rounds: How often.
        contestants: What to measure, by name.
    """
    found: dict[str, list[Measure]] = {name: [] for name in contestants}
    for number in range(rounds):
        names = list(contestants)
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(await contestants[name]())
    return found


def summary(measures: Sequence[Measure]) -> Summary:
    """Give the median of some rounds."""
    return {
        "per_second": median(one.per_second for one in measures),
        "p50": median(one.p50 for one in measures),
        "p99": median(one.p99 for one in measures),
        "errors": sum(one.errors for one in measures),
    }


def ratio(
    ours: Sequence[Measure],
    theirs: Sequence[Measure],
    of: Callable[[Measure], float] = lambda one: one.per_second,
) -> float:
    """Give the median, over the rounds, of one measure divided by another of the same round.

    Args:
        ours: What is divided.
        theirs: By what.
        of: What of a measure is meant; left out, operations per second.
    """
    return median(of(one) / of(other) for one, other in zip(ours, theirs, strict=True))
