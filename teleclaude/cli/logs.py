"""How the daemon's log looks: a line for people, or a JSON object for programs."""

from __future__ import annotations

import logging
import sys
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor


class LogFormat(Enum):
    """What `--log-format` accepts."""

    TEXT = "text"
    JSON = "json"


def make_logger(style: LogFormat) -> FilteringBoundLogger:
    """Make a logger that writes one line per event to standard output.

    Args:
        style: What a line looks like.
    """
    import structlog

    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if style is LogFormat.JSON
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=24)
    )
    utc = structlog.processors.TimeStamper(fmt="iso", utc=True)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stdout),
        processors=[structlog.processors.add_log_level, utc, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return logger
