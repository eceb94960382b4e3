"""Conformance: the demands that every implementation of the port to storage must meet.

The port is `cairn.engine.runtime.journal.Journal`. The author of another journal writes a `Storage`
around the journal, and checks each case that applies:

    for case in applying(storage):
        await case.check(storage)  # AssertionError, beginning with the case's sentence

Under pytest, parametrize a test with the cases; nothing here imports pytest. A storage declares in
`lacks` the capabilities that the storage does without. `not_applying` names the cases that fall
away, each with the declared reason.
"""

from collections.abc import Mapping

from cairn.conformance import commits, messages, records, statuses, writers
from cairn.conformance.case import Case
from cairn.conformance.history import ROUTES
from cairn.conformance.storage import Capability, KeptCheckpoint, KeptRun, Opened, Storage

__all__ = [
    "CASES",
    "ROUTES",
    "Capability",
    "Case",
    "KeptCheckpoint",
    "KeptRun",
    "Opened",
    "Storage",
    "applying",
    "not_applying",
]

CASES: tuple[Case, ...] = (
    *records.CASES,
    *commits.CASES,
    *statuses.CASES,
    *writers.CASES,
    *messages.CASES,
)


def applying(storage: Storage) -> list[Case]:
    """The cases whose needs the storage meets, in the order of `CASES`.

    Raises:
        ValueError: a capability is lacking without a reason.
    """
    left_out = not_applying(storage)
    return [case for case in CASES if case not in left_out]


def not_applying(storage: Storage) -> Mapping[Case, str]:
    """The cases that fall away, each with the reasons that the storage declares.

    Raises:
        ValueError: a capability is lacking without a reason.
    """
    lacks = storage.lacks
    for capability, reason in lacks.items():
        if not reason.strip():
            raise ValueError(f"The storage lacks {capability.name}, and does not say why.")
    return {
        case: " ".join(lacks[it] for it in Capability if it in case.needs & lacks.keys())
        for case in CASES
        if case.needs & lacks.keys()
    }
