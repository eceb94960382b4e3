"""Who is measured beside whom. This runs in each one's environment: the standard library only."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, get_args

from tests.benchmarks.durable.load import Load

Database = Literal["sqlite", "postgresql"]
DATABASES: tuple[Database, ...] = get_args(Database)

HTTP = ("fastapi==0.165.0", "uvicorn[standard]==0.54.0")


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something that runs workflows and remembers how far they came.

    Attributes:
        name: that of its distribution; the floors have none.
        module: what drives it, in this package.
        requirements: what to install, into an environment of its own; nothing is what is here.
        shown: the packages whose versions are told.
    """

    name: str
    module: str
    requirements: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


Run = Callable[[Load], Awaitable[int]]
Rerun = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Opened:
    """What a contestant can do, on an empty database.

    Attributes:
        run: makes one run of a load; gives how many steps it counted.
        rerun_of: makes a run, and gives what executes its last step again, from the checkpoint
            before it; `None` if there is no such thing.
    """

    run: Run
    rerun_of: Callable[[Load], Awaitable[Rerun]] | None = None


FLOOR = Contestant("floor", "floor")
ROWS = Contestant("rows", "rows")
OURS = Contestant("cairn", "ours")
PEERS = (
    Contestant(
        "langgraph",
        "graph",
        (
            "langgraph==1.2.24",
            "langgraph-checkpoint-sqlite==3.1.2",
            "langgraph-checkpoint-postgres==3.2.0",
            "psycopg[binary,pool]==3.3.9",
            *HTTP,
        ),
        ("langgraph", "langgraph-checkpoint-sqlite", "langgraph-checkpoint-postgres"),
    ),
    Contestant("dbos", "functions", ("dbos==3.4.0", "psycopg[binary]==3.3.9", *HTTP), ("dbos",)),
    Contestant(
        "llama-agents-server",
        "agents",
        (
            "llama-agents-server==0.8.0",
            "llama-index-workflows==2.26.1",
            "asyncpg==0.32.0",
            "uvicorn[standard]==0.54.0",
        ),
        ("llama-agents-server", "llama-index-workflows"),
    ),
)

FLOORS = (FLOOR, ROWS)
CONTESTANTS = (*FLOORS, OURS, *PEERS)
