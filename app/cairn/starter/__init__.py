"""The starter: a folder to begin with, of one workflow, a README and an example of settings."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from cairn.configuration import lines
from cairn.settings import Settings

FILES = Path(__file__).with_name("files")
EXAMPLE = """\
# Copy this file to .env, and take the # from what you change. The environment wins over .env.

# A model's server, for workflows that ask one; a local one needs no key.
#OPENAI_API_KEY=
#OPENAI_BASE_URL=https://api.openai.com/v1
#OPENAI_MODEL=gpt-4o-mini
"""


def lay_out(folder: Path) -> list[Path]:
    """Make a folder with the starter's files.

    Returns:
        The paths of the files.

    Raises:
        ValueError: a file is there already, or cannot be written. No file is overwritten.
    """
    files = [file for file in sorted(FILES.rglob("*")) if file.is_file() and _is_source(file)]
    made = [folder / file.relative_to(FILES) for file in files]
    example = folder / ".env.example"
    existing = [str(file) for file in (*made, example) if file.exists()]
    if existing:
        raise ValueError(f"There is {', '.join(existing)} already. Name another folder.")
    try:
        for source, target in zip(files, made, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        example.write_text(EXAMPLE + "".join(_settings()), encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{folder} cannot be made: {error.strerror}.") from error
    return [*made, example]


def _is_source(file: Path) -> bool:
    return "__pycache__" not in file.parts


def _settings() -> Iterator[str]:
    """Yield each setting, commented out, with its description and default."""
    defaults = lines(Settings.model_construct(), {}, ())
    for field, line in zip(Settings.model_fields.values(), defaults, strict=True):
        setting = line.removeprefix("#").rpartition("  # ")[0]
        yield f"\n# {field.description}\n#{setting}\n"
