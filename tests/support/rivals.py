"""Several real processes at once: `rival_process.py` run for real, never left behind."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from processes import Process, script_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SCRIPT: Final = Path(__file__).with_name("rival_process.py")


def rival(task: str, *arguments: object) -> AbstractAsyncContextManager[Process]:
    """Run a function of `rival_process.py` in a process; it is killed if it outlives the block.

    Args:
        task: The function's name.
        *arguments: Its arguments; they arrive as text.
    """
    return script_process(_SCRIPT, task, *arguments)


async def compete(task: str, competitors: Iterable[Sequence[object]]) -> list[Any]:
    """Let processes start together, and give what each of them printed.

    Args:
        task: The function of `rival_process.py` that all of them run.
        competitors: The arguments of each.
    """
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(rival(task, *arguments)) for arguments in competitors
        ]
        for process in running:
            assert await process.said() == "ready"
        answers = await asyncio.gather(*(process.finish() for process in running))
    return [json.loads(answer) for answer in answers]
