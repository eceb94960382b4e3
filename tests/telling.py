"""A program whose runs fail and are tried again, for the tests of what the log says of that."""

import asyncio
import logging
import sys
import threading
from pathlib import Path

from cairn import logs
from tests.api.asking import serving

FORGED = "2026-01-01T00:00:00Z [info     ] forged"
BROKEN = f"first\n{FORGED}\r{FORGED}\u2028{FORGED}\x1b[2J\ud800"

WORKFLOW = """
from cairn import StartEvent, StopEvent, Workflow, step
from cairn.engine.language.retry import ConstantDelayRetryPolicy
from tests.telling import BROKEN

MESSAGES = {"broken": BROKEN, "long": "x" * 500_000, "lines": "y\\n" * 20_000}


def deeper(count):
    return deeper(count - 1) if count else 1 / 0


class LeakyFlow(Workflow):
    @step(retry_policy=ConstantDelayRetryPolicy(delay=0.0, maximum_attempts=2))
    async def leak(self, ev: StartEvent) -> StopEvent:
        api_key = "-".join(["sk", "very", "secret"])
        if ev.how == "deep":
            deeper(900)
        raise ValueError(MESSAGES[ev.how])
"""


async def _fail(folder: Path) -> None:
    async with serving(f"sqlite:///{folder / 'cairn.db'}", folder) as cairn:
        for how in ("broken", "long", "lines", "deep"):
            await cairn.until(await cairn.start("leaky", {"how": how}), "failed")


def _raise() -> None:
    raise ValueError(BROKEN)


def main(home: Path) -> None:
    """Fail, in all the ways that a log must stand, once in each format."""
    for log_format in ("console", "json"):
        folder = home / log_format
        folder.mkdir()
        (folder / "leaky.py").write_text(WORKFLOW)
        with (home / f"{log_format}.log").open("w") as sys.stderr:
            logs.configure("info", log_format)
            asyncio.run(_fail(folder))
            extra = {"note": BROKEN, "size": 7, "all": ["z" * 50_000]}
            logging.getLogger("other").warning("said: %s", BROKEN, extra=extra)
            thread = threading.Thread(target=_raise, name="of a step")
            thread.start()
            thread.join()
            coloured = {"color_message": "\x1b[31mplain"}
            logging.getLogger("uvicorn").warning("plain", extra=coloured)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
