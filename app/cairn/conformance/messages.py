"""Cases of messages: unread until the record that consumes the message is committed."""

from collections.abc import Sequence
from uuid import UUID

from cairn.conformance.case import case, expect
from cairn.conformance.committing import begun, commit, refuse
from cairn.conformance.comparing import expect_kept
from cairn.conformance.history import History
from cairn.conformance.storage import Capability, KeptRun, Storage
from cairn.engine.core.facts import Received, Sent
from cairn.engine.values.sealed import SealedEvent

WORD = SealedEvent("Round", {"said": "from outside"})


@case(Capability.MESSAGES)
async def a_message_is_unread_until_a_record_consumes_it(storage: Storage) -> None:
    """Three messages, of which the first and the last are consumed."""
    run, journal, history = await begun(storage)
    written = [history.begin()]
    await commit(journal, written)
    first, second, third = [await storage.tell(run, WORD) for _ in range(3)]
    _, beside, other = await begun(storage)
    await commit(beside, [other.begin()])
    expect_unread(await storage.read(run), [first, second, third])
    written += [history.add(Received(Sent(WORD)), it) for it in (first, third)]
    await commit(journal, written[1:])
    kept = await storage.read(run)
    expect_unread(kept, [second])
    expect_kept(kept, written)


@case(Capability.MESSAGES, Capability.SHARED)
async def a_refused_commit_leaves_its_message_unread(storage: Storage) -> None:
    """The record and the message are one commit."""
    run, earlier, history = await begun(storage)
    first = history.begin()
    await commit(earlier, [first])
    message = await storage.tell(run, WORD)
    opened = await storage.open(run)
    written = History.on(run, opened).rounds(1)
    await commit(opened.journal, written)
    await refuse(earlier, [history.add(Received(Sent(WORD)), message)])
    kept = await storage.read(run)
    expect_unread(kept, [message])
    expect_kept(kept, [first, *written])


def expect_unread(kept: KeptRun, messages: Sequence[UUID]) -> None:
    """Expect exactly these messages of the run to be unread."""
    expect(
        sorted(kept.unread) == sorted(messages),
        f"the messages {list(map(str, kept.unread))} are unread, not {list(map(str, messages))}",
    )


CASES = (
    a_message_is_unread_until_a_record_consumes_it,
    a_refused_commit_leaves_its_message_unread,
)
