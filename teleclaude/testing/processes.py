"""Second processes: functions of `tasks`, run for real, watched and never left behind."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from teleclaude.testing import tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

_SECONDS: Final = 30


class Process:
    """A process that says when it is where it should be, and goes on when it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take a running process."""
        self._process = process
        self.pid = process.pid

    async def said(self) -> str:
        """Wait for its next line."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _SECONDS)
        if not line:
            raise AssertionError(await self._complaint())
        return line.decode().rstrip("\n")

    async def go_on(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()

    async def finish(self) -> str:
        """Let it go on, wait for its end, and give the rest of what it says."""
        output, complaint = await asyncio.wait_for(self._process.communicate(b"\n"), _SECONDS)
        assert self._process.returncode == 0, complaint.decode()
        return output.decode().rstrip("\n")

    async def kill(self) -> None:
        """End it with SIGKILL, as if the power had failed."""
        self._process.kill()
        await asyncio.wait_for(self._process.wait(), _SECONDS)

    async def _complaint(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()


def store_process(task: str, *arguments: object) -> AbstractAsyncContextManager[Process]:
    """Run a function of `tasks` in a process; it is killed if it outlives the block.

    Args:
        task: The function's name.
        *arguments: Its arguments; they arrive as text.

    Returns:
        A context manager that yields the process.
    """
    # Without -P the source tree in the working directory would win over what is installed.
    return python_process("-P", "-m", tasks.__name__, task, *arguments)


@asynccontextmanager
async def python_process(*arguments: object) -> AsyncIterator[Process]:
    """Run Python in a process; it is killed if it outlives the block.

    Args:
        *arguments: Those of the interpreter; they arrive as text.

    Yields:
        The process.
    """
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, *map(str, arguments))
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
        task: The function of `tasks` that all of them run.
        competitors: The arguments of each.

    Returns:
        What each printed, read as JSON.
    """
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(store_process(task, *arguments))
            for arguments in competitors
        ]
        for process in running:
            assert await process.said() == "ready"
        answers = await asyncio.gather(*(process.finish() for process in running))
    return [json.loads(answer) for answer in answers]
