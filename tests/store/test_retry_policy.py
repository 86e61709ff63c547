"""How often and after how long something is run again."""

from __future__ import annotations

import pytest

from teleclaude.store import RetryPolicy


@pytest.mark.parametrize("attempt", [0, 3, 4, 30])
def test_waits_grow_up_to_a_ceiling_and_are_drawn(attempt: int) -> None:
    """The longest wait doubles, is never above the ceiling, and no two waits are alike."""
    policy = RetryPolicy(base=0.1, ceiling=1.5)
    longest = min(1.5, 0.1 * 2**attempt)
    waits = [policy.pause(attempt) for _ in range(1000)]
    assert 0 <= min(waits) < longest / 10
    assert longest * 9 / 10 < max(waits) <= longest
    assert len(set(waits)) > 900


def test_the_default_policy_gives_up_within_seconds() -> None:
    """Together, the waits of all attempts stay short enough for somebody who waits for them."""
    policy = RetryPolicy()
    longest = sum(min(policy.ceiling, policy.base * 2**n) for n in range(policy.attempts - 1))
    assert 1 < policy.attempts <= 10
    assert longest < 5
