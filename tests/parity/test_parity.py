"""The parity machine on all installed backends, on the statement lane and through the engine.

`TELECLAUDE_PARITY_STEPS` says how many steps are made at least; `TELECLAUDE_PARITY_SEED` repeats a
run.
"""

from __future__ import annotations

import inspect
import os
import secrets
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from parity.calls import ALL
from parity.machine import Match, ParityMachine, machine_settings
from parity.sides import Contestant
from teleclaude.backends import installed_backends

if TYPE_CHECKING:
    from pathlib import Path

    from teleclaude.store import Db

STEPS: Final = int(os.environ.get("TELECLAUDE_PARITY_STEPS", "4000"))
SEED: Final = int(os.environ.get("TELECLAUDE_PARITY_SEED") or secrets.randbits(64))

SECONDS_FOR_A_STEP: Final = 0.2
SECONDS_FOR_SHRINKING: Final = 600


def engines() -> list[str]:
    """Give all engines that are installed; less than two cannot be compared."""
    found = sorted({backend.engine for backend in installed_backends()})
    if len(found) < 2:
        message = f"Parity needs two backends and there is {found}; leave out tests/parity here."
        raise RuntimeError(message)
    return found


def contestants() -> list[Contestant]:
    """Give each of them in both ways."""
    ways = {"on its lane": True, "through the engine": False}
    return [
        Contestant(f"{engine} {way}", engine, lane)
        for engine in engines()
        for way, lane in ways.items()
    ]


@pytest.mark.timeout(STEPS * SECONDS_FOR_A_STEP + SECONDS_FOR_SHRINKING)
@pytest.mark.usefixtures("own_environment")
def test_engines_answer_the_same(tmp_path: Path) -> None:
    """Whatever is called with whatever arguments, all engines answer it the same, both ways."""
    print(f"TELECLAUDE_PARITY_SEED={SEED} TELECLAUDE_PARITY_STEPS={STEPS}")  # noqa: T201
    with Match(contestants(), tmp_path) as match:
        _play(match, STEPS)
    for (operation, outcome), count in sorted(match.outcomes.items()):
        print(f"{count:6} {operation}: {outcome}")  # noqa: T201
    print(f"{match.steps} steps")  # noqa: T201
    assert match.steps >= STEPS


@pytest.mark.timeout(SECONDS_FOR_SHRINKING)
@pytest.mark.usefixtures("own_environment")
def test_a_difference_is_noticed(tmp_path: Path) -> None:
    """A store that answers but once in another way than its like does not get away with it."""
    engine = engines()[-1]
    with Match((Contestant("honest", engine), Contestant("liar", engine)), tmp_path) as match:
        voices = match.sides[1].db.voices
        assign = voices.assign

        async def assign_another(voice_id: str, service_name: str, voice: str) -> None:
            await assign(voice_id, service_name, "b" if voice == "a" else voice)

        voices.assign = assign_another  # type: ignore[method-assign]
        with pytest.raises(AssertionError, match=r"honest and liar differ in (voices|content)"):
            _play(match, STEPS, shrink=False)


def _play(match: Match, steps: int, *, shrink: bool = True) -> None:
    @seed(SEED)
    def machine() -> ParityMachine:
        return ParityMachine(match)

    chosen = machine_settings(steps, shrink=shrink)
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[arg-type] # it is a factory


def test_every_operation_is_called(db: Db) -> None:
    """No store is left out, and no public operation of one."""
    stores = {
        name: store
        for name, store in vars(db).items()
        if not name.startswith("_") and name != "migrator"
    }
    assert set(ALL) == set(stores)
    for name, store in stores.items():
        operations = {
            method
            for method, _ in inspect.getmembers(store, inspect.iscoroutinefunction)
            if not method.startswith("_")
        }
        assert set(ALL[name].by_method) == operations, name
