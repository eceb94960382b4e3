"""Wrong journals: ledgers with one fault each, which the suite must find."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import orjson
from immutables import Map

from cairn.conformance import KeptRun, Opened
from cairn.engine.core.records import ENDED, Failure, Head
from cairn.engine.runtime.journal import HeadMoved
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import SealedEvent
from tests.conformance.ledger import Commit, Ledger

Due = Sequence[tuple[Commit, "asyncio.Future[None]"]]


class DropsTheLastOfSeveral(Ledger):
    def write(self, commit: Commit) -> None:
        kept = commit.records[:-1] if len(commit.records) > 1 else commit.records
        super().write(commit._replace(records=kept))


class ForgetsTheBuffers(Ledger):
    def write(self, commit: Commit) -> None:
        records = [
            it._replace(snapshot=it.snapshot._replace(buffers=Map())) for it in commit.records
        ]
        super().write(commit._replace(records=records))


class ForgetsTheTypesOfNumbers(Ledger):
    def write(self, commit: Commit) -> None:
        records = [it._replace(output_event=_loosened(it.output_event)) for it in commit.records]
        super().write(commit._replace(records=records))


def _loosened(event: SealedEvent | None) -> SealedEvent | None:
    return None if event is None else event._replace(data=_loose(event.data))


def _loose(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _loose(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_loose(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class CutsLongTexts(Ledger):
    def write(self, commit: Commit) -> None:
        records = [
            it._replace(output_event=None)
            if it.output_event and len(orjson.dumps(it.output_event.data)) > 65_536
            else it
            for it in commit.records
        ]
        super().write(commit._replace(records=records))


class KeepsTheNewestTwoHundred(Ledger):
    def write(self, commit: Commit) -> None:
        super().write(commit)
        kept = self.runs[commit.run]
        self.runs[commit.run] = kept._replace(checkpoints=kept.checkpoints[-200:])


class MixesRuns(Ledger):
    async def read(self, run: UUID) -> KeptRun:
        every = [it for kept in self.runs.values() for it in kept.checkpoints]
        return self.runs[run]._replace(checkpoints=sorted(every, key=lambda it: it.id))


class RerunsFromTheHead(Ledger):
    async def begin(self, start: SealedEvent, origin: UUID | None = None) -> UUID:
        run = await super().begin(start, origin)
        if origin is not None:
            source = next(
                kept.checkpoints
                for kept in self.runs.values()
                if any(it.id == origin for it in kept.checkpoints)
            )
            self.origins[run] = source[-1]
        return run


class OpensAtTheFirstCheckpoint(Ledger):
    async def open(self, run: UUID) -> Opened:
        opened = await super().open(run)
        if not self.runs[run].checkpoints:
            return opened
        first = self.runs[run].checkpoints[0]
        return opened._replace(snapshot=first.snapshot, head=Head(first.id, first.seq))


class AnswersBeforeWriting(Ledger):
    def write(self, commit: Commit) -> None:
        asyncio.get_running_loop().call_later(0.01, super().write, commit)


class WritesOneByOne(Ledger):
    def settle(self, due: Due) -> None:
        for commit, done in due:
            if len(commit.records) > 1:
                first, rest = commit.records[:1], commit.records[1:]
                self.write(commit._replace(records=first))
                later = commit._replace(records=rest)
                asyncio.get_running_loop().call_soon(self.settle, [(later, done)])
            else:
                super().settle([(commit, done)])


class PromisesTooMuch(Ledger):
    at_once = True


class LosesTheRecordsWithAStatus(Ledger):
    def write(self, commit: Commit) -> None:
        super().write(commit)
        if not commit.records:
            self.runs[commit.run] = self.runs[commit.run]._replace(checkpoints=[])


class WritesHalfOfWhatIsCancelled(Ledger):
    def take_back(self, commit: Commit) -> None:
        self.write(commit._replace(records=commit.records[: len(commit.records) // 2]))


class LeavesNoRoomAfterACancel(Ledger):
    """Takes the `seq` of records that were cancelled for taken."""

    def __init__(self) -> None:
        super().__init__()
        self._taken: set[UUID] = set()

    def take_back(self, commit: Commit) -> None:
        self._taken.add(commit.run)

    def check(self, commit: Commit) -> None:
        if commit.run in self._taken:
            raise HeadMoved("The run has moved on.")
        super().check(commit)


class WritesNoStatusAlone(Ledger):
    def write(self, commit: Commit) -> None:
        if commit.records or commit.status in ENDED:
            super().write(commit)


class WritesTheStatusBefore(Ledger):
    """Writes a status with records one commit late."""

    def write(self, commit: Commit) -> None:
        was = self.runs[commit.run].status
        super().write(commit)
        if commit.records and commit.status not in ENDED:
            self.runs[commit.run] = self.runs[commit.run]._replace(status=was)


class ForgetsTheStep(Ledger):
    def write(self, commit: Commit) -> None:
        failure = commit.failure and Failure(commit.failure.type, commit.failure.message)
        super().write(commit._replace(failure=failure))


class ForgetsTheStopEvent(Ledger):
    async def read(self, run: UUID) -> KeptRun:
        return self.runs[run]._replace(stopped=None)


class AcceptsASecondWriter(Ledger):
    def check(self, commit: Commit) -> None:
        if self.runs[commit.run].status in ENDED:
            raise HeadMoved("The run has ended.")


class RaisesInsteadOfAnswering(Ledger):
    def put(self, commit: Commit) -> "asyncio.Future[None]":
        self.check(commit)
        return super().put(commit)


class WritesThePartThatIsFree(Ledger):
    def settle(self, due: Due) -> None:
        for commit, done in due:
            super().settle([(commit, done)])
            taken = {it.seq for it in self.runs[commit.run].checkpoints}
            free = [it for it in commit.records if it.seq not in taken]
            if free and len(free) < len(commit.records):
                self.write(commit._replace(records=free))


class RefusesBoth(Ledger):
    """Takes two commits of one run in a turn of the loop for a clash, and writes neither."""

    def settle(self, due: Due) -> None:
        if len(due) == 2 and due[0][0].run == due[1][0].run:
            for _, done in due:
                done.set_exception(HeadMoved("The run is busy."))
        else:
            super().settle(due)


class WritesAfterTheEnd(Ledger):
    def check(self, commit: Commit) -> None:
        kept = self.runs[commit.run]
        if commit.records and commit.records[0].seq <= len(kept.checkpoints):
            raise HeadMoved("The run has moved on.")


class TrustsItsOwner(Ledger):
    """Looks at nothing but the owner, even after the end."""

    def check(self, commit: Commit) -> None:
        if self.owners[commit.run] != commit.writer:
            raise HeadMoved("The run belongs to another process.")


class RefusesAllOfAGroup(Ledger):
    def settle(self, due: Due) -> None:
        try:
            for commit, _ in due:
                self.check(commit)
        except HeadMoved:
            for _, done in due:
                done.set_exception(HeadMoved("One of the group was refused."))
        else:
            super().settle(due)


class KnowsNoOwner(Ledger):
    def check(self, commit: Commit) -> None:
        super().check(commit._replace(writer=self.owners[commit.run]))


class LetsTheLostWriteAStatus(Ledger):
    def check(self, commit: Commit) -> None:
        if commit.records or self.runs[commit.run].status in ENDED:
            super().check(commit)


class KeepsMessagesUnread(Ledger):
    def write(self, commit: Commit) -> None:
        super().write(commit._replace(records=[it._replace(message=None) for it in commit.records]))


class HearsBeforeItChecks(Ledger):
    def check(self, commit: Commit) -> None:
        heard = {it.message for it in commit.records}
        kept = self.runs[commit.run]
        self.runs[commit.run] = kept._replace(unread=[i for i in kept.unread if i not in heard])
        super().check(commit)
