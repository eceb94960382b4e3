"""Where the contestants run: ours here, each peer in an environment made for it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.processes import ROOT

ENVIRONMENTS = ROOT / ".bench"


def python_of(*requirements: str) -> Path | None:
    """An interpreter that has what is required, installed if need be; ours if nothing is.

    Args:
        requirements: the first with its version, which names the environment.

    Returns:
        `None` if something could not be installed; uv has said why.
    """
    if not requirements:
        return Path(sys.executable)
    environment = ENVIRONMENTS / requirements[0]
    python, ready = environment / "bin" / "python", environment / ".ready"
    # Written last: for what it was made, and for which Python. A peer runs on the one we run on.
    made_for = "\n".join((sys.version, *requirements))
    if not ready.exists() or ready.read_text() != made_for:
        try:
            _uv("venv", "--clear", "--python", sys.executable, environment)
            _uv("pip", "install", "--python", python, *requirements)
        except (OSError, subprocess.CalledProcessError):
            return None
        ready.write_text(made_for)
    return python


def installed(python: Path, packages: Sequence[str]) -> dict[str, str]:
    """The versions of these packages in an interpreter's environment."""
    code = (
        "import sys, importlib.metadata as m, json;"
        "print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    )
    said = subprocess.run([python, "-c", code, *packages], check=True, capture_output=True)
    versions: dict[str, str] = json.loads(said.stdout)
    return versions


def _uv(*arguments: str | Path) -> None:
    subprocess.run([Path(sys.prefix) / "bin" / "uv", "--quiet", *arguments], check=True, cwd=ROOT)
