"""Calls of every operation of every store, with arguments to be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from parity import values
from parity.shortening import shortened
from parity.values import keys, mostly, texts, texts_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class RowId:
    """The id of a row made before; each side has its own.

    Attributes:
        kind: Which rows.
        number: Which of them, counted from the newest, and round again at the end.
    """

    kind: str
    number: int


@dataclass(frozen=True)
class Row:
    """A row that an outbox gave before, claimed or not; each side has its own.

    Attributes:
        kind: Which outbox.
        number: Which of them, counted from the newest, and round again at the end.
    """

    kind: str
    number: int


@dataclass(frozen=True)
class Call:
    """One operation with its arguments.

    Attributes:
        store: The attribute of `Stores`.
        method: The operation.
        args: Its positional arguments; `RowId` and `Row` stand for what a side has.
        kwargs: Its arguments by name.
    """

    store: str
    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __repr__(self) -> str:
        """Show the call as it would be written, with long values shortened."""
        given = [shortened(value) for value in self.args]
        given += [f"{name}={shortened(value)}" for name, value in self.kwargs.items()]
        return f"{self.store}.{self.method}({', '.join(given)})"


class Calls:
    """Collects the calls of one store.

    Attributes:
        store: The attribute of `Stores`.
        by_method: Strategies by the operation's name.
    """

    def __init__(self, store: str) -> None:
        """Begin with none."""
        self.store = store
        self.by_method: dict[str, SearchStrategy[Call]] = {}

    def add(
        self,
        method: str,
        *args: SearchStrategy[Any],
        fields: SearchStrategy[dict[str, Any]] | None = None,
        **optional: SearchStrategy[Any],
    ) -> None:
        """Add an operation.

        Args:
            method: Its name.
            *args: Its positional arguments.
            fields: Further arguments by name.
            **optional: Arguments by name, each given or left out.
        """
        kwargs = st.fixed_dictionaries({}, optional=optional)
        if fields is not None:
            kwargs = st.tuples(fields, kwargs).map(lambda pair: {**pair[0], **pair[1]})
        self.by_method[method] = st.builds(
            Call, st.just(self.store), st.just(method), st.tuples(*args), kwargs
        )

    def any(self, *methods: str) -> SearchStrategy[Call]:
        """Give a call of one of these operations, or of all."""
        return st.one_of([self.by_method[method] for method in methods or self.by_method])


SESSION_IDS: Final = keys("s1", "s2", "s3", "S1", "s%", "s_")
_COMPUTERS: Final = keys("mac", "pc", "")
_ORIGINS: Final = keys("telegram", "api")
_PROJECTS: Final = keys("teleclaude", "other", "Other")
_FIXED: Final = (
    "session_id",
    "computer_name",
    "tmux_session_name",
    "last_input_origin",
    "title",
    "active_agent",
    "native_session_id",
    "native_log_file",
)
_TITLES: Final = mostly(
    st.sampled_from(["", "[mac] Untitled", "Fix the build", "Fix", "fix", "F%x", "Fi\U0010ffff"]),
    texts_or_none,
)


def _sessions() -> Calls:
    calls = Calls("sessions")
    # Never without an id: random ones would be in another order on each side.
    ids = SESSION_IDS.map(lambda given: "s1" if given is None else given)
    more = st.tuples(values.fields(but=_FIXED), ids).map(
        lambda pair: {**pair[0], "session_id": pair[1]}
    )
    tmux = keys("tmux1", "tmux2")
    calls.add("create", _COMPUTERS, tmux, _ORIGINS, _TITLES, fields=more)
    calls.add(
        "create_headless",
        _COMPUTERS,
        _ORIGINS,
        _TITLES,
        fields=more,
        active_agent=keys("claude", "codex"),
        native_session_id=keys("n1", "n2"),
        native_log_file=texts_or_none,
    )
    calls.add("get", SESSION_IDS)
    calls.add("get_field", SESSION_IDS, values.field_names)
    calls.by_method["find_by_field"] = st.builds(
        lambda pair, kwargs: Call("sessions", "find_by_field", pair, kwargs),
        values.one_field,
        st.fixed_dictionaries({}, optional={"include_initializing": values.switches}),
    )
    calls.add(
        "list",
        computer_name=_COMPUTERS,
        last_input_origin=_ORIGINS,
        include_closed=values.switches,
        include_headless=values.switches,
        include_initializing=values.switches,
    )
    calls.add("list_all")
    calls.add("count", computer_name=_COMPUTERS)
    calls.add(
        "find_by_adapter_metadata",
        keys("telegram", "discord", "a"),
        keys("topic", "a"),
        values.metadata_values,
        include_closed=values.switches,
    )
    prefixes = mostly(st.sampled_from(["", "F", "Fix", "f", "[", "Fi\U0010ffff", "\ud7ff"]), texts)
    calls.add("find_by_title_prefix", prefixes, include_closed=values.switches)
    calls.add("update", SESSION_IDS, fields=values.fields(most=4))
    calls.add("touch", SESSION_IDS)
    calls.add("close", SESSION_IDS)
    calls.add("delete", SESSION_IDS)
    return calls


def _pending_deletions() -> Calls:
    calls = Calls("pending_deletions")
    kinds = mostly(st.sampled_from(["user_input", "feedback"]), st.sampled_from(["", None, "x", 1]))
    calls.add("list", SESSION_IDS, deletion_type=kinds)
    calls.add("add", SESSION_IDS, keys("m1", "m2", "M1"), deletion_type=kinds)
    calls.add("clear", SESSION_IDS, deletion_type=kinds)
    return calls


def _outbox(store: str, *enqueue: SearchStrategy[Any]) -> Calls:
    calls = Calls(store)
    row = mostly(st.builds(Row, st.just(store), st.integers(0, 5)), st.none(), one_in=30)
    rows = st.lists(row, max_size=5)
    error = {"error": mostly(st.sampled_from([None, "boom"]), texts)}
    most = {"max_attempts": mostly(st.integers(1, 3), values.limits)}
    ids = mostly(st.builds(RowId, st.just(store), st.integers(0, 8)), values.integers)
    calls.add("enqueue", *enqueue)
    calls.add("claim", values.limits, values.durations)
    calls.add("delivered", row, **error)
    calls.add("delivered_many", rows, **error)
    calls.add("failed", row, error["error"], values.instants, **most)
    calls.add("failed_many", rows, error["error"], values.instants, **most)
    calls.add("peek", values.limits)
    calls.add("stats")
    calls.add("dead", limit=values.limits)
    calls.add("requeue", ids)
    calls.add("prune", values.durations)
    return calls


def _listeners() -> Calls:
    calls = Calls("listeners")
    calls.add("register", SESSION_IDS, SESSION_IDS, keys("tmux1", "tmux2"))
    calls.add("unregister", SESSION_IDS, SESSION_IDS)
    calls.add("for_target", SESSION_IDS)
    calls.add("for_caller", SESSION_IDS)
    calls.add("all")
    calls.add("count")
    calls.add("pop_for_target", SESSION_IDS)
    calls.add("remove_for_caller", SESSION_IDS)
    calls.add("stale_targets", values.durations)
    calls.add("reset", SESSION_IDS, values.instants)
    return calls


def _voices() -> Calls:
    calls = Calls("voices")
    calls.add("assign", SESSION_IDS, mostly(st.sampled_from(["tts", "say"]), texts_or_none), texts)
    calls.add("get", SESSION_IDS)
    calls.add("in_use")
    calls.add("delete_older_than", values.durations)
    return calls


def _agents() -> Calls:
    calls = Calls("agents")
    agents = keys("claude", "codex", "Claude")
    reasons = mostly(st.sampled_from(["degraded", "degraded: slow", "quota", "", None]), texts)
    calls.add("get", agents)
    calls.add("mark_unavailable", agents, values.instants_or_none, reasons)
    calls.add("mark_available", agents)
    calls.add("mark_degraded", agents, reasons)
    calls.add("clear_expired")
    return calls


def _settings() -> Calls:
    calls = Calls("settings")
    names = keys("k", "K", "k1", "\u00e9", "\U0001f600", "\uffff")
    calls.add("get", names)
    calls.add("set", names, texts)
    calls.add("all")
    calls.add("delete", names)
    return calls


def _webhook_contracts() -> Calls:
    calls = Calls("webhook_contracts")
    ids = keys("c1", "c2", "C1")
    calls.add("upsert", ids, values.documents, source=keys("api", "file"))
    calls.add("deactivate", ids)
    calls.add("list", active_only=values.switches)
    return calls


def _memory() -> Calls:
    calls = Calls("memory")
    types = mostly(st.sampled_from(["discovery", "decision"]), keys("Decision", "context", ""))
    owners = mostly(st.sampled_from([None, "ann", "bob"]), keys("Ann"))
    row_id = mostly(st.builds(RowId, st.just("memory"), st.integers(0, 8)), values.integers)
    few = mostly(st.integers(0, 4), values.limits, one_in=5)
    words = mostly(st.lists(values.sentences, max_size=2), st.just("text") | st.just([1]))
    calls.add(
        "save",
        values.sentences,
        mostly(st.none() | values.sentences, texts),
        _PROJECTS,
        type=types,
        concepts=words,
        facts=words,
        identity_key=owners,
    )
    calls.add(
        "save_summary",
        _PROJECTS,
        request=texts_or_none,
        investigated=texts_or_none,
        learned=texts_or_none,
        completed=texts_or_none,
        next_steps=texts_or_none,
    )
    ids = mostly(
        st.lists(row_id, max_size=4), st.just(list(range(10**6, 10**6 + 40_000))), one_in=30
    )
    calls.add("get", ids, project=_PROJECTS)
    calls.add("recent", _PROJECTS, few)
    calls.add("recent_summaries", _PROJECTS, few)
    calls.add("delete", row_id)
    calls.add(
        "search",
        values.queries,
        project=mostly(_PROJECTS, st.none()),
        type=types,
        identity_key=owners,
        limit=few,
    )
    calls.add("timeline", row_id, before=few, after=few, project=mostly(st.none(), _PROJECTS))
    return calls


ALL: Final[Mapping[str, Calls]] = {
    calls.store: calls
    for calls in (
        _sessions(),
        _pending_deletions(),
        _outbox("hook_outbox", SESSION_IDS, keys("stop", "start"), mostly(values.documents, texts)),
        _outbox("notification_outbox", keys("mail"), keys("ann@example.org"), texts, texts_or_none),
        _outbox("webhook_outbox", keys("c1", "c2"), values.documents, texts, texts_or_none),
        _listeners(),
        _voices(),
        _agents(),
        _settings(),
        _webhook_contracts(),
        _memory(),
    )
}
"""The calls of every store, by the attribute of `Stores`."""

READS: Final = st.one_of(
    ALL["sessions"].any("get", "get_field", "find_by_field", "list", "list_all", "count"),
    ALL["pending_deletions"].any("list"),
    *(ALL[f"{name}_outbox"].any("peek", "stats", "dead") for name in ("hook", "notification")),
    ALL["listeners"].any("all", "for_target", "stale_targets"),
    ALL["voices"].any("get", "in_use"),
    ALL["settings"].any("get", "all"),
    ALL["webhook_contracts"].any("list"),
    ALL["memory"].any("recent", "search", "timeline", "recent_summaries"),
)
"""Calls that change nothing, to be made beside an open transaction."""
