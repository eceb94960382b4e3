"""Where the contestants run: ours here, each peer in an environment made for it."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.contestants import Contestant
from tests.benchmarks.processes import ROOT

ENVIRONMENTS = ROOT / ".bench"


def python_of(contestant: Contestant) -> Path | None:
    """The interpreter that runs the contestant, its package installed if need be.

    Returns:
        `None` if the package could not be installed; uv has said why.
    """
    if contestant.version is None:
        return Path(sys.executable)
    requirement = f"{contestant.name}=={contestant.version}"
    environment = ENVIRONMENTS / requirement
    python, ready = environment / "bin" / "python", environment / ".ready"
    # Written last: for which Python it was made. A peer runs on the one that we run on.
    if not ready.exists() or ready.read_text() != sys.version:
        try:
            _uv("venv", "--clear", "--python", sys.executable, environment)
            _uv("pip", "install", "--python", python, requirement)
        except (OSError, subprocess.CalledProcessError):
            return None
        ready.write_text(sys.version)
    return python


def _uv(*arguments: str | Path) -> None:
    subprocess.run([Path(sys.prefix) / "bin" / "uv", "--quiet", *arguments], check=True, cwd=ROOT)
