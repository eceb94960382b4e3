"""Comparing: checkpoints read back against the records that were written."""

import json
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from cairn.conformance.case import expect
from cairn.conformance.storage import KeptCheckpoint, KeptRun
from cairn.engine.core.delta_json import to_json
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delta, Snapshot, whole
from cairn.engine.values.sealed import SealedEvent

SHOWN = 200  # characters of a value in a message


def expect_kept(kept: KeptRun, written: Sequence[Record]) -> None:
    """Expect the checkpoints of a run to be these records: all, in order, and equal.

    Values of JSON are equal if their types are, too: 1, 1.0 and True are three values.

    Raises:
        AssertionError: a checkpoint is missing, is one too many, or differs.
    """
    found, made = [it.seq for it in kept.checkpoints], [it.seq for it in written]
    expect(found == made, f"the checkpoints {found} came back, and {made} were written")
    for checkpoint, record in zip(kept.checkpoints, written, strict=True):
        expect_equal(checkpoint, KeptCheckpoint.of(record))


def expect_equal(found: KeptCheckpoint, made: KeptCheckpoint) -> None:
    """Expect one checkpoint to equal the record's, part by part."""
    for name in KeptCheckpoint._fields:
        came, went = _exact(getattr(found, name)), _exact(getattr(made, name))
        expect(
            came == went,
            f"`{name}` of the checkpoint {made.seq} came back as {_shown(came)}, "
            f"and was written as {_shown(went)}",
        )


def expect_same(found: Snapshot, made: Snapshot) -> None:
    """Expect two snapshots to be equal."""
    expect(_exact(found) == _exact(made), f"a run stands at {found}, and should stand at {made}")


def _exact(part: Any) -> Any:
    """The part in a form that tells types apart: an event or an edit becomes text."""
    if isinstance(part, Snapshot):
        part = whole(part)
    if isinstance(part, Delta):
        edits = to_json(part)
        for name, edit in edits.items():
            if isinstance(edit, list):  # a mapping, whose entries have no order
                edit.sort(key=None if name.startswith("-") else itemgetter(0))
        return json.dumps(edits, sort_keys=True, ensure_ascii=False)
    if isinstance(part, SealedEvent):
        return json.dumps(part.to_json(), ensure_ascii=False)
    return part


def _shown(part: Any) -> str:
    text = str(part)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text):,} characters)"
