"""Several real processes at once: `rival_process.py` run for real, never left behind."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from processes import Process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

_SCRIPT: Final = Path(__file__).with_name("rival_process.py")


@asynccontextmanager
async def rival(task: str, *arguments: object) -> AsyncIterator[Process]:
    """Run a function of `rival_process.py` in a process; it is killed if it outlives the block.

    Args:
        task: The function's name.
        *arguments: Its arguments; they arrive as text.
    """
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, str(_SCRIPT), task, *map(str, arguments))
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


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
