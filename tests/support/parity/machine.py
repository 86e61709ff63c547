"""The state machine: draws operations, makes each on all sides and compares the answers.

Every step is one operation, or the beginning or end of a transaction. At the end of each example
the whole content of the databases is compared.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from parity.calls import ALL, READS
from parity.comparing import Raised, difference
from parity.filling import FILLING
from parity.sides import Side, UndoneError
from parity.values import mostly
from teleclaude.testing.clock import START, MutableClock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from parity.calls import Call
    from parity.sides import Contestant

_UNFORESEEN: Final = " failed with "
"""What the store says about an error of a driver that nobody has thought of."""

_OF_THE_CALLER: Final = ("builtins.TypeError", "builtins.AttributeError")
"""Errors of Python that are raised for arguments of a type that nobody could mean."""


_STEPS_AT_ONCE: Final = 100
"""Steps of one example at most, after which the databases are emptied."""

_STEPS_ON_AVERAGE: Final = 40
"""Steps of one example at least, on average: Hypothesis ends some of them early."""


class Match:
    """Open stores with one clock, on one event loop.

    Attributes:
        sides: The stores.
        steps: How many answers were compared.
        outcomes: How often each operation gave a value, or which error.
    """

    def __init__(self, contestants: Sequence[Contestant], directory: Path) -> None:
        """Prepare; nothing is opened yet."""
        self._contestants = contestants
        self._directory = directory
        self._runner = asyncio.Runner()
        self.sides: list[Side] = []
        self._clock = MutableClock()
        self.steps = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()

    def __enter__(self) -> Self:
        """Open the stores."""
        for number, contestant in enumerate(self._contestants):
            directory = self._directory / f"{number}"
            self.sides.append(self._runner.run(Side.open(contestant, directory, self._clock)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the stores."""
        for side in self.sides:
            self._runner.run(side.close())
        self._runner.close()

    def begin_example(self) -> None:
        """Empty the stores, and set the clock."""
        self._clock.now = START
        self._all(*[side.empty() for side in self.sides])

    def pass_time(self, passing: timedelta, zone: timezone) -> None:
        """Set the clock of all, forward or back, and let it tell the time with an offset."""
        self._clock.now = (self._clock.now + passing).astimezone(zone)

    def fill(self) -> None:
        """Put something of everything into the stores; that counts no step."""
        steps = self.steps
        for call in FILLING:
            self.call(call)
        self.steps = steps

    def call(self, call: Call, *, outside: bool = False) -> None:
        """Make a call on all sides and compare what they give."""
        answers = self._all(*[side.answer(call, outside=outside) for side in self.sides])
        self._compare(f"{call.store}.{call.method}", answers)

    def begin(self) -> None:
        """Open a transaction on all sides."""
        self._compare("begin", self._all(*[side.begin() for side in self.sides]))

    def end(self, *, undo: bool) -> None:
        """Commit on all sides, or leave the transaction by an exception."""
        error = UndoneError("on purpose") if undo else None
        answers = self._all(*[side.end(error) for side in self.sides])
        self._compare("roll back" if undo else "commit", answers)

    def compare_content(self) -> None:
        """Compare all rows of all tables."""
        self._compare("content", self._all(*[side.content() for side in self.sides]))

    def _compare(self, what: str, answers: list[Any]) -> None:
        first, *others = answers
        self.steps += 1
        self.outcomes[what, first.kind if isinstance(first, Raised) else _told(first)] += 1
        for side, other in zip(self.sides[1:], others, strict=True):
            found = difference(first, other, what)
            assert found is None, f"{self.sides[0].name} and {side.name} differ in {found}"
        if isinstance(first, Raised):
            assert not _is_defect(first), f"{what} raised what no caller can act on: {first}"

    def _all(self, *operations: Coroutine[Any, Any, Any]) -> list[Any]:
        async def run() -> list[Any]:
            return await asyncio.gather(*operations)

        return self._runner.run(run())


def _is_defect(error: Raised) -> bool:
    own = error.kind.startswith(("teleclaude.errors.", "parity.sides."))
    return _UNFORESEEN in error.message if own else error.kind not in _OF_THE_CALLER


def _told(answer: Any) -> str:
    return (
        "nothing" if answer in (("NoneType", "None"), ("list", []), ("bool", "False")) else "value"
    )


_PASSING: Final = mostly(
    st.just(timedelta(0)),
    st.sampled_from([0.000001, 1, 5, 10, 30, 61, 86400, -1, -10, -3600]).map(
        lambda seconds: timedelta(seconds=seconds)
    ),
    one_in=3,
)
"""How far the clock goes before a call, or back."""

_ZONES: Final = mostly(
    st.just(UTC), st.sampled_from([timezone(timedelta(hours=hours)) for hours in (5.5, -8)])
)
"""The offset with which it tells the time."""


def _calls(store: str, *methods: str) -> Callable[[ParityMachine, Call, timedelta, timezone], None]:
    """Make the rule that calls these operations of a store, or all of them."""

    def operation(self: ParityMachine, call: Call, passing: timedelta, zone: timezone) -> None:
        self.match.pass_time(passing, zone)
        self.compare(lambda match: match.call(call))

    operation.__name__ = f"call_{store}"  # as it is shown in an example that fails
    return rule(call=ALL[store].any(*methods), passing=_PASSING, zone=_ZONES)(operation)


class ParityMachine(RuleBasedStateMachine):
    """Plays one example of a match.

    Attributes:
        match: The match.
    """

    def __init__(self, match: Match) -> None:
        """Begin with empty stores."""
        super().__init__()
        self.match = match
        self._in_transaction = False
        self._ended_early = False
        match.begin_example()

    def compare(self, step: Callable[[Match], None]) -> None:
        """Make a step; after a difference, nothing is compared any more."""
        try:
            step(self.match)
        except BaseException:
            self._ended_early = True
            raise

    @initialize(filled=st.booleans())
    def fill(self, filled: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        """Begin with something of everything, or with nothing."""
        if filled:
            self.compare(Match.fill)

    # Operations that fill tables have a rule of their own besides, so that there are rows.
    create_sessions = _calls("sessions", "create", "create_headless")
    find_sessions = _calls("sessions", "find_by_field", "find_by_adapter_metadata", "update")
    sessions = _calls("sessions")
    pending_deletions = _calls("pending_deletions")
    claim_hooks = _calls("hook_outbox", "enqueue", "claim", "failed", "delivered", "requeue")
    hook_outbox = _calls("hook_outbox")
    notification_outbox = _calls("notification_outbox")
    webhook_outbox = _calls("webhook_outbox")
    listeners = _calls("listeners")
    voices = _calls("voices")
    agents = _calls("agents")
    settings = _calls("settings")
    webhook_contracts = _calls("webhook_contracts")
    save_memory = _calls("memory", "save", "save_summary")
    memory = _calls("memory")

    @precondition(lambda self: not self._in_transaction)
    @rule()
    def begin(self) -> None:
        """Open a transaction for the following calls."""
        self.compare(Match.begin)
        self._in_transaction = True

    @precondition(lambda self: self._in_transaction)
    @rule(undo=st.booleans())
    def end(self, undo: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
        """Commit the transaction, or leave it by an exception."""
        self._in_transaction = False
        self.compare(lambda match: match.end(undo=undo))

    @precondition(lambda self: self._in_transaction)
    @rule(call=READS)
    def read_beside_the_transaction(self, call: Call) -> None:
        """Read what others see while the transaction is open."""
        self.compare(lambda match: match.call(call, outside=True))

    def teardown(self) -> None:
        """Commit what is open, and compare the content of the databases."""
        if self._in_transaction:
            self.match.end(undo=self._ended_early)
        if not self._ended_early:
            self.match.compare_content()


def machine_settings(steps: int, *, shrink: bool = True) -> settings:
    """Give the settings for a run.

    Args:
        steps: How many steps are to be made at least, in all examples together.
        shrink: Look for a short example after a difference, which may take some minutes.
    """
    return settings(
        max_examples=steps // _STEPS_ON_AVERAGE + 1,
        stateful_step_count=_STEPS_AT_ONCE,
        deadline=None,
        derandomize=False,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
