"""The pages of docs/: the site builds, its pictures are true, and the blocks of code run.

A page's blocks run in their order, as a reader would paste them: those of Python in one module,
with the value in the comment behind an expression, and those of the shell in one shell, with the
output below a `$`. A file that a block shows is there from then on. A block that cannot run here
has a comment above it in the page's source, which no reader of the page sees:
`<!-- not run: the reason -->`.
"""

import ast
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, get_args

import grimp
import pytest

from cairn.engine.core.records import ENDED, Status
from docs.pictures import picture_of
from tests.command import BOUND, ROOT
from tests.scripted_model import Scripted
from tests.test_readme import is_like, pasted

DOCS = ROOT / "docs"
FENCE = re.compile(
    r"(?:^<!-- not run: (?P<why>.+?) -->\n)?"
    r"^```(?P<language>\w*)(?: title=\"(?P<file>.+)\")?\n(?P<text>(?s:.*?))^```$",
    re.M,
)
SHELL = ("sh", "console")
MARK = "@@ the output of command "


class Block(NamedTuple):
    """A block of code in a page; what it holds is a file's where it has a title."""

    page: Path
    line: int
    language: str
    file: str | None
    text: str
    why_not: str | None


class Command(NamedTuple):
    """A command of a block, and the output that the page shows."""

    block: Block
    text: str
    output: str | None


def blocks_of(page: Path) -> list[Block]:
    """The blocks of the page, in their order."""
    text = page.read_text()
    return [
        Block(
            page,
            text.count("\n", 0, found.start("language")) + 1,
            found["language"],
            found["file"],
            found["text"],
            found["why"],
        )
        for found in FENCE.finditer(text)
    ]


PAGES = sorted(DOCS.glob("*.md"))
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUN = [block for block in [*BLOCKS, *blocks_of(ROOT / "README.md")] if block.why_not is None]
NOT_RUN = [block for block in BLOCKS if block.why_not is not None]
IN_PYTHON = sorted({block.page for block in RUN if block.language == "python"})
IN_A_SHELL = sorted({it.page for it in RUN if it.language in SHELL and it.page.parent == DOCS})
"""README's lines are executed by `test_readme`."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * BOUND,
        check=False,
    )
    assert built.returncode == 0, built.stdout
    return folder


# The site


def test_each_page_is_built_and_leads_to_every_other(site: Path) -> None:
    names = {page.with_suffix(".html").name for page in PAGES}
    assert {page.name for page in site.glob("*.html")} == names | {"404.html"}
    for name in names:
        assert names - {name} <= set(_Seen.of(site / name).links)


def test_the_site_asks_no_other_host_and_needs_no_script_for_its_pictures(site: Path) -> None:
    for page in site.rglob("*.html"):
        seen = _Seen.of(page)
        assert [it for it in seen.loaded if "//" in it] == []
        assert "mermaid" not in seen.classes
    assert _Seen.of(site / "architecture.html").tags.count("svg:title") >= 3
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", style.read_text()) == []


class _Seen(HTMLParser):
    """What a browser finds in a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.classes: list[str] = []
        self.tags: list[str] = []

    @classmethod
    def of(cls, page: Path) -> "_Seen":
        seen = cls()
        seen.feed(page.read_text())
        return seen

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.classes += found.get("class", "").split()
        self.tags.append(f"svg:{tag}" if found.get("id", "").endswith("picture-title") else tag)
        if tag == "a":
            self.links.append(found.get("href", "").partition("#")[0])
        elif tag in ("img", "script", "iframe", "source"):
            self.loaded.append(found.get("src", ""))
        elif tag == "link":
            self.loaded.append(found.get("href", ""))


# The pictures


def picture(title: str) -> str:
    """The source of the picture under this title."""
    found = [
        it.text for it in BLOCKS if it.language == "mermaid" and f"accTitle: {title}\n" in it.text
    ]
    assert len(found) == 1
    return found[0]


def arrows(source: str) -> set[tuple[str, str]]:
    """Which state or room leads to which."""
    return set(re.findall(r"^ *(\S+) --> ([^\s:]+)", source, re.M))


def test_the_picture_of_a_run_has_its_statuses_and_no_way_out_of_an_end() -> None:
    moves = arrows(picture("The statuses of a run"))
    assert {state for move in moves for state in move} == {*get_args(Status), "[*]"}
    assert {source for source, target in moves if target == "[*]"} == ENDED
    assert {target for source, target in moves if source in ENDED} == {"[*]"}


@pytest.mark.parametrize(
    ("title", "container"), [("The rooms", "cairn"), ("The rooms of the engine", "cairn.engine")]
)
def test_the_picture_of_the_rooms_shows_all_imports_and_no_others(
    title: str, container: str
) -> None:
    source = picture(title)
    drawn = {it.id: it.label.split(", ") for it in picture_of(source).nodes}
    assert sorted(room for rooms in drawn.values() for room in rooms) == rooms_in(container)
    modules = grimp.build_graph("cairn")
    imports = {
        (above, below)
        for above in drawn
        for below in drawn
        if above != below
        and any(
            modules.direct_import_exists(
                importer=f"{container}.{importer}",
                imported=f"{container}.{imported}",
                as_packages=True,
            )
            for importer in drawn[above]
            for imported in drawn[below]
        )
    }
    assert arrows(source) <= imports
    assert {(a, b) for a, b in imports if b not in reached(a, arrows(source))} == set()


def rooms_in(container: str) -> list[str]:
    """The rooms that the contract on their order names, and those that it leaves out."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(it for it in settings["contracts"] if it.get("containers") == [container])
    named = [room for layer in contract["layers"] for room in layer.split(" | ")]
    return sorted(named + contract.get("exhaustive_ignores", []))


def reached(start: str, moves: set[tuple[str, str]]) -> set[str]:
    """All that the arrows lead to from there."""
    found: set[str] = set()
    ahead = [start]
    while ahead:
        here = ahead.pop()
        new = {target for source, target in moves if source == here} - found
        found |= new
        ahead += new
    return found


# The blocks


def named(block: Block) -> str:
    return f"{block.page.name}:{block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda it: it.name)
def test_every_block_of_a_page_is_found_and_of_a_language_that_is_tested(page: Path) -> None:
    blocks = blocks_of(page)
    assert page.read_text().count("```") == 2 * len(blocks)
    assert {block.language for block in blocks} <= {"python", "mermaid", *SHELL}


@pytest.mark.parametrize("block", NOT_RUN, ids=lambda it: f"{named(it)}: {it.why_not}")
def test_a_block_that_is_not_run_here_is_well_formed(block: Block) -> None:
    if block.language == "python":
        compile(block.text, block.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return
    for command in commands_of(block):
        checked = subprocess.run(
            ["bash", "-n", "-c", command.text], capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("page", IN_PYTHON, ids=lambda it: it.name)
async def test_the_python_of_a_page_runs_and_gives_what_the_page_says(
    page: Path, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    for block in RUN:
        if block.page == page and block.language == "python":
            await execute(block, module)


async def execute(block: Block, module: ModuleType) -> None:
    """Execute the statements, and compare each value with the comment behind its expression."""
    lines = block.text.splitlines()
    for statement in ast.parse(block.text).body:
        if isinstance(statement, ast.Expr):
            last = lines[(statement.end_lineno or 0) - 1].encode()
            said = last[statement.end_col_offset :].decode().strip()
            value = await evaluate(block, module, ast.Expression(statement.value))
            assert not said or re.match(rf"# {re.escape(repr(value))}($|: )", said), (
                f"{named(block)}: the value is {value!r}, and the page says {said}"
            )
        else:
            await evaluate(block, module, ast.Module([statement], []))


async def evaluate(block: Block, module: ModuleType, tree: ast.Expression | ast.Module) -> object:
    """The value of the expression, awaited where it says so; `None` for statements."""
    kind = "eval" if isinstance(tree, ast.Expression) else "exec"
    placed = ast.increment_lineno(tree, block.line)
    code = compile(placed, block.page, kind, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    value: object = eval(code, module.__dict__)
    return await value if inspect.iscoroutine(value) else value


@pytest.mark.parametrize("page", IN_A_SHELL, ids=lambda it: it.name)
def test_the_commands_of_a_page_run_and_give_what_the_page_shows(
    page: Path, scripted: Scripted, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    commands = [command for block in RUN if block.page == page for command in commands_of(block)]
    lines = [f"printf '\\n{MARK}{n}\\n'\n{it.text}\n" for n, it in enumerate(commands)]
    done = pasted("".join(lines), tmp_path, working_folder=tmp_path / "here")
    _, *outputs = re.split(rf"\n{MARK}\d+\n", done.told)
    assert done.code == 0, f"{named(commands[len(outputs) - 1].block)} failed"
    for command, output in zip(commands, outputs, strict=True):
        if command.output is not None:
            assert is_like(output, command.output), (
                f"{named(command.block)}: {command.text} gave {output}"
            )


def commands_of(block: Block) -> Iterator[Command]:
    """The commands of the block: all of a script, or those behind a `$` with their outputs.

    For a block that is a file, one command that writes the file.
    """
    if block.file is not None:
        folder = Path(block.file).parent
        yield Command(block, f"mkdir -p {folder}; cat >{block.file} <<'@'\n{block.text}@", None)
    elif block.language == "sh":
        yield Command(block, block.text, None)
    elif block.language == "console":
        yield from typed(block)


def typed(block: Block) -> Iterator[Command]:
    """The commands behind a `$`; a line behind a `>` goes on with the one before."""
    for found in re.finditer(r"^\$ (.+(?:\n> .*)*)\n((?:(?!\$ ).*\n)*)", block.text, re.M):
        yield Command(block, found[1].replace("\n> ", "\n"), found[2])
