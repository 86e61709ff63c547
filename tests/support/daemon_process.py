"""A running `teleclaude run`, as a person starts it: the installed command, in its own process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

COMMAND: Final = Path(sys.executable).with_name("teleclaude")
"""The console script of the environment the tests run in."""

_SECONDS: Final = 30


class End(NamedTuple):
    """How a process ended: its exit code, how long it took, what it said on standard error."""

    code: int
    seconds: float
    complaint: str


class DaemonProcess:
    """A daemon whose log can be waited for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take a process that has just been started."""
        self._process = process
        self.pid = process.pid
        self.log: list[str] = []

    async def until(self, words: str) -> str:
        """Wait for a line of its log with these words."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_SECONDS):
            while line := (await self._process.stdout.readline()).decode():
                self.log.append(line.rstrip("\n"))
                if words in line:
                    return line
        message = f"It ended without {words!r}: {self.log} {(await self.end()).complaint}"
        raise AssertionError(message)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> End:
        """Send it a signal and wait for its end."""
        self._process.send_signal(number)
        return await self.end()

    async def end(self) -> End:
        """Wait for its end."""
        began = time.monotonic()
        output, complaint = await asyncio.wait_for(self._process.communicate(), _SECONDS)
        self.log += output.decode().splitlines()
        assert self._process.returncode is not None
        return End(self._process.returncode, time.monotonic() - began, complaint.decode())

    def events(self) -> list[Mapping[str, object]]:
        """Give its log so far as JSON objects."""
        return [json.loads(line) for line in self.log]


@asynccontextmanager
async def daemon(
    file: Path | None, *options: str, home: Path, **environment: str
) -> AsyncIterator[DaemonProcess]:
    """Run a daemon; it is killed if it outlives the block.

    Args:
        file: Its configuration file, `None` for none.
        *options: Further options of `teleclaude run`.
        home: Its home and working directory.
        **environment: Further environment variables.
    """
    config = [] if file is None else ["--config", str(file)]
    process = await asyncio.create_subprocess_exec(
        str(COMMAND),
        "run",
        *config,
        *options,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield DaemonProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
