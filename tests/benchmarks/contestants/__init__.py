"""Who is measured beside whom. This runs in each one's environment: the standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contestant:
    """Something that runs workflows.

    Attributes:
        name: that of its distribution; the floor has none.
        modules: where the language its workflows are written in comes from; the floor has none.
        version: which one to install, into an environment of its own; `None` is what is here.
    """

    name: str
    modules: tuple[str, ...] = ()
    version: str | None = None

    @property
    def requirements(self) -> tuple[str, ...]:
        """What its environment must have; nothing if it runs in ours."""
        return () if self.version is None else (f"{self.name}=={self.version}",)


FLOOR = Contestant("floor")
OURS = Contestant("cairn", ("cairn.engine",))
PEERS = (
    Contestant("llama-index-core", ("llama_index.core.workflow",), "0.12.42"),
    Contestant("llama-index-workflows", ("workflows", "workflows.events"), "2.26.1"),
)

CONTESTANTS = (FLOOR, OURS, *PEERS)
