"""The log: one line for each event, for people or as JSON.

Texts of errors come from anywhere: no text can begin a line of its own, or exceed its limit. No
format shows the values of variables, which may hold keys and prompts.
"""

import logging
import sys
import threading
import traceback

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

MOST_CHARACTERS = 2_000  # of a message, of a value, of each line of a traceback
MOST_LINES = 100  # of a traceback
MOST_FRAMES = 20  # of each of its exceptions
INDENT = "    "


def configure(level: str, log_format: str) -> None:
    """Set up structlog, and send the records of the standard library's `logging` the same way.

    The `extra` of such a record becomes fields of the line.

    Args:
        level: the lowest level shown: debug, info, warning, error or critical.
        log_format: `console` for people, `json` for programs.
    """
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Processor] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_on_one_line, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _without_colours, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.ExceptionRenderer(_traceback),
                _bounded,
                *renderer,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    threading.excepthook = _thread_failed  # Python's own would print the text unescaped
    # These log every request to a model's server, every start, every changed file.
    for talkative in ("httpx", "httpx2", "alembic", "watchfiles"):
        logging.getLogger(talkative).setLevel(logging.WARNING)


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    """Log the exception that has ended a thread of a step or a library."""
    error = failed.exc_value
    name = None if failed.thread is None else failed.thread.name
    if not isinstance(error, SystemExit):
        structlog.get_logger(__name__).error("thread failed", thread=name, exc_info=error)


def _without_colours(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The line without uvicorn's second form of its message, which is for a terminal."""
    event.pop("color_message", None)
    return event


def _traceback(exc_info: ExcInfo) -> str:
    """The traceback as Python prints it, without the values of variables.

    Each exception has the frames nearest to the error; the middle of a long text is left out.
    """
    report = traceback.TracebackException(*exc_info, limit=-MOST_FRAMES, compact=True)
    lines = "".join(report.format()).splitlines()
    half = MOST_LINES // 2
    if len(lines) > MOST_LINES:
        lines[half:-half] = [f"... {len(lines) - 2 * half:,} lines left out ..."]
    return "\n".join(map(_cut, lines))


def _bounded(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The line with long values cut, except the traceback, which has limits of its own."""
    for key, value in event.items():
        text = value if isinstance(value, str) else repr(value)
        if key != "exception" and len(text) > MOST_CHARACTERS:
            event[key] = _cut(text)
    return event


def _on_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The line with line breaks and control characters escaped, and the traceback indented."""
    for key, value in event.items():
        if key == "exception":
            lines = (f"{INDENT}{_escaped(line)}" for line in value.split("\n"))
            event[key] = "\n".join(lines)
        else:
            event[key] = _escaped(value if isinstance(value, str) else repr(value))
    return event


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}... ({len(text):,} characters)"


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
