"""The command line: arguments in, exit code out."""

import asyncio
import shlex
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console

from cairn import __version__, environment, logs, settings
from cairn.settings import Settings

if TYPE_CHECKING:
    from cairn.store.schema import Schema

cli = typer.Typer(
    help="Event-driven workflows with a checkpoint at every completed step.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True, highlight=False)

db = typer.Typer(help="Look after the database's tables.", no_args_is_help=True)
cli.add_typer(db, name="db")

DatabaseUrl = Annotated[
    str | None, typer.Option(help="Where runs are remembered. [CAIRN_DATABASE_URL]")
]
Workflows = Annotated[
    Path | None, typer.Option(help="The folder with the workflows. [CAIRN_WORKFLOWS]")
]
Host = Annotated[str | None, typer.Option(help="The address to listen on. [CAIRN_HOST]")]
Port = Annotated[int | None, typer.Option(help="The port; 0 finds one. [CAIRN_PORT]")]


def main() -> None:
    """Run the command line."""
    # Hosted files import their own modules from the working folder, which a console script does not
    # search. At the end of the path: no file there can hide an installed package.
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    cli()


def _version(wanted: bool) -> None:
    if wanted:
        print(f"cairn {__version__}")
        raise typer.Exit


@cli.callback()
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001  # the callback prints it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which it is.")
    ] = False,
) -> None:
    """Event-driven workflows with a checkpoint at every completed step."""
    try:
        context.obj = environment.load()
    except ValueError as error:
        raise _stop(str(error)) from None


@cli.command()
def serve(
    context: typer.Context,
    host: Host = None,
    port: Port = None,
    workflows: Workflows = None,
    database_url: DatabaseUrl = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Begin anew when a workflow's file or .env changes.")
    ] = False,
) -> None:
    """Serve the workflows over HTTP, until told to stop."""
    given = {"host": host, "port": port, "workflows": workflows, "database_url": database_url}
    chosen = _settings(**given)
    try:
        if reload:
            _reload(chosen, given, context.obj)
            return
        from cairn.main import serve as serve_with

        raise typer.Exit(serve_with(chosen))
    except ValueError as error:
        raise _stop(str(error)) from None


@cli.command()
def run(
    name: Annotated[str, typer.Argument(help="The workflow's name.")],
    input: Annotated[
        str, typer.Option("--input", help="The start event's fields, as a JSON object.")
    ] = "{}",
    workflows: Workflows = None,
) -> None:
    """Run a workflow in this process, showing each step as it completes."""
    from cairn.terminal import run_here

    fields = _json_object(input)
    chosen = _settings(workflows=workflows)
    logs.configure("critical", chosen.log_format)  # errors are printed at the end
    try:
        ending = run_here(chosen.workflows, chosen.load_seconds, name, fields)
        raise typer.Exit(asyncio.run(ending))
    except ValueError as error:
        raise _stop(str(error)) from None
    except KeyboardInterrupt:
        raise _stop("Interrupted.", code=130) from None


@db.command()
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Bring the database's tables to the revision that this Cairn needs."""
    with _database(database_url) as schema:
        before = schema.current() or "no tables"
        schema.upgrade()
        print(f"{schema.shown_url}: {before} -> {schema.current()}")


@db.command()
def current(database_url: DatabaseUrl = None) -> None:
    """Say at which revision the database is, and which one this Cairn needs."""
    with _database(database_url) as schema:
        print(f"database: {schema.current() or 'no tables'}")
        print(f"cairn:    {schema.newest}")


@db.command()
def check(database_url: DatabaseUrl = None) -> None:
    """Exit with 0 if the database is ready for this Cairn; otherwise with 1, saying what to do."""
    with _database(database_url) as schema:
        complaint = schema.complaint()
    if complaint is not None:
        raise _stop(complaint, code=1)


@db.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The copy; it must not be there yet.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Copy a database of SQLite's to a file, while the service runs."""
    from cairn.store.backup import backup as back_up

    try:
        back_up(_settings(database_url=database_url).database_url, file)
    except ValueError as error:
        raise _stop(str(error)) from None
    print(f"{file}: {file.stat().st_size:,} bytes")


@cli.command()
def prune(
    days: Annotated[
        float | None,
        typer.Option(help="Delete runs that ended longer ago. [CAIRN_RETAIN_DAYS]", min=0),
    ] = None,
    runs: Annotated[
        int | None,
        typer.Option(help="Keep only so many of each workflow. [CAIRN_RETAIN_RUNS]", min=0),
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="Delete only runs that ended so. [CAIRN_RETAIN_STATUSES]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Delete runs that have ended, but for those to be kept or with a tagged checkpoint."""
    from cairn.main import prune as prune_with

    chosen = _settings(
        retain_days=days, retain_runs=runs, retain_statuses=status, database_url=database_url
    )
    try:
        print(asyncio.run(prune_with(chosen, dry_run=dry_run)))
    except ValueError as error:
        raise _stop(str(error)) from None


@cli.command()
def init(
    folder: Annotated[Path, typer.Argument(help="The folder; it is made if need be.")] = Path(),
) -> None:
    """Make a folder to begin with: a workflow, a README, an example of settings."""
    from cairn.starter import lay_out

    try:
        made = lay_out(folder)
    except ValueError as error:
        raise _stop(str(error)) from None
    print(*made, sep="\n")
    where = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    print(f"Next: {where}cairn serve")


@cli.command()
def demo() -> None:
    """Start the service on a fresh database and walk through the notebook over HTTP."""
    from cairn.demo import Failed, walk

    try:
        walk()
    except Failed as failure:
        raise _stop(f"The demo failed: {failure}") from None
    except KeyboardInterrupt:
        raise _stop("Interrupted.", code=130) from None


@cli.command()
def config(
    context: typer.Context,
    host: Host = None,
    port: Port = None,
    workflows: Workflows = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Print every setting in force, and its origin; secrets are masked."""
    from cairn.configuration import lines

    given = {"host": host, "port": port, "workflows": workflows, "database_url": database_url}
    print(*lines(_settings(**given), given, from_file=context.obj), sep="\n")


@cli.command()
def openapi() -> None:
    """Print the OpenAPI schema."""
    from cairn.main import schema

    print(orjson.dumps(schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode())


@contextmanager
def _database(url: str | None) -> Iterator["Schema"]:
    """The schema of the configured database; a ValueError in the block ends the command."""
    from cairn.store.schema import Schema

    try:
        yield Schema(_settings(database_url=url).database_url)
    except ValueError as error:
        raise _stop(str(error)) from None


def _reload(chosen: Settings, given: Mapping[str, Any], from_file: Collection[str]) -> None:
    from cairn.catalog import checked
    from cairn.reloading import Reloading

    logs.configure(chosen.log_level, chosen.log_format)
    options = [
        f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None
    ]
    Reloading(options, from_file, chosen.drain_seconds).run(checked(chosen.workflows))


def _settings(**given: Any) -> Settings:
    """Settings from these options, then the environment; a mistake ends the command."""
    try:
        return settings.read(**given)
    except ValueError as error:
        raise _stop(str(error)) from None


def _json_object(text: str) -> dict[str, Any]:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _stop(f"--input is not JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise _stop('--input must be a JSON object, such as {"topic": "math"}.')
    return fields


def _stop(message: str, code: int = 2) -> typer.Exit:
    errors.print(f"cairn: {message}", markup=False, soft_wrap=True)  # unwrapped: easy to copy
    return typer.Exit(code)


if __name__ == "__main__":
    main()
