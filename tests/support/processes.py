"""Second processes for tests: `store_process.py`, run for real, watched and never left behind."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SCRIPT: Final = Path(__file__).with_name("store_process.py")
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
    """Run a function of `store_process.py` in a process; it is killed if it outlives the block.

    Args:
        task: The function's name.
        *arguments: Its arguments; they arrive as text.
    """
    return script_process(_SCRIPT, task, *arguments)


@asynccontextmanager
async def script_process(script: Path, *arguments: object) -> AsyncIterator[Process]:
    """Run a script in a process; it is killed if it outlives the block.

    Args:
        script: The script.
        *arguments: Its arguments; they arrive as text.
    """
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, str(script), *map(str, arguments))
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
