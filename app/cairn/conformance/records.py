"""Cases of records: what is committed comes back."""

from cairn.conformance.case import case, expect
from cairn.conformance.committing import begun, commit
from cairn.conformance.comparing import expect_kept, expect_same
from cairn.conformance.history import START, STOP, History
from cairn.conformance.storage import Capability, Storage
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.records import Head
from cairn.engine.values.extended_json import Json, write_number
from cairn.engine.values.sealed import SealedEvent

LARGE = 1_000_000  # bytes of JSON
LONG = 230  # records, which a storage may keep in more than one way

ODD: dict[str, Json] = {
    "nothing": None,
    "truth": [True, False],
    "numbers alike": [1, 1.0, 0, 0.0, -0.0, True],
    "floats": [1e-323, 1.7976931348623157e308, 0.1, -2.5],
    "integers": [-(2**63), 2**63 - 1, 2**64 - 1, 2**53 + 1],
    "beyond JSON": [write_number(10**40), write_number(-(2**70))],
    "empty": ["", [], {}, [[]], {"": ""}, [None]],
    "text": "é ß 漢字 🙂 e\u0301 \u202e \ufeff",
    "controls": "\0 \x01 \t \n \r \x7f \\ \" ' % {} :name $1 ?",
    "漢字 🙂 \0": "a key",
    "nested": {"a": [{"b": [{"c": {"d": [1, [2, [3, {}]]]}}]}]},
    "like a mark": [{"$blob": "00"}, {"$parts": []}, {"$blob": "0" * 64, "more": 1}],
    "order": {"z": 1, "a": 2, "m": 3},
}
"""Values of JSON that storages are known to change."""


@case()
async def records_come_back_equal_and_in_order(storage: Storage) -> None:
    """Facts of all kinds, one append each: the delta, the snapshot, the events and the parent."""
    run, journal, history = await begun(storage)
    written = [*history.of_every_fact(), history.add(Received(Sent(STOP)))]
    *before, last = written
    for record in before:
        await commit(journal, [record])
    await commit(journal, [last], "completed")
    expect_kept(await storage.read(run), written)


@case()
async def several_records_of_one_append_come_back_as_those_of_several_appends_do(
    storage: Storage,
) -> None:
    """The records of a whole run in two appends."""
    run, journal, history = await begun(storage)
    written = history.of_every_fact()
    await commit(journal, written[:5])
    await commit(journal, written[5:])
    expect_kept(await storage.read(run), written)


@case()
async def odd_values_come_back_as_they_were(storage: Storage) -> None:
    """Values in events and in the state; unicode in the names of types and of keys."""
    run, journal, history = await begun(storage)
    stray = SealedEvent("Événement漢字", ODD, {"_private": ODD}, ("unset", "漢字"))
    written = [history.begin(), history.add(Received(Sent(stray)))]
    written.append(history.goes_round(ODD, **ODD))
    written += [history.goes_round({}, **{key: value}) for key, value in ODD.items()]
    await commit(journal, written)
    expect_kept(await storage.read(run), written)


@case()
async def large_events_and_values_come_back_equal(storage: Storage) -> None:
    """A megabyte in one text, and in many parts; the same again, which a storage may share."""
    run, journal, history = await begun(storage)
    parts = {"parts": [{"number": n, "text": "x" * 1_000} for n in range(LARGE // 1_000)]}
    text = {"text": "漢" * (LARGE // 3)}
    written = [history.begin()]
    written += [history.goes_round(data, **data) for data in (text, parts, text, parts)]
    grown = {"parts": [*parts["parts"], {"number": -1, "text": "y"}]}
    written.append(history.goes_round(grown, **grown))
    await commit(journal, written[:3])
    await commit(journal, written[3:])
    expect_kept(await storage.read(run), written)


@case()
async def a_long_history_comes_back_at_each_of_its_checkpoints(storage: Storage) -> None:
    """More records than a storage may keep as differences from the first."""
    run, journal, history = await begun(storage)
    written = [history.begin(), *history.rounds(LONG)]
    for first in range(0, len(written), 50):
        await commit(journal, written[first : first + 50])
    expect_kept(await storage.read(run), written)


@case()
async def runs_apart_do_not_mix(storage: Storage) -> None:
    """Three runs that are committed in turns."""
    runs = [await begun(storage) for _ in range(3)]
    written = [[history.begin()] for _, _, history in runs]
    for records, (_, journal, _) in zip(written, runs, strict=True):
        await commit(journal, records)
    for number in range(3):
        for records, (_, journal, history) in zip(written, runs, strict=True):
            records.append(history.goes_round({"run": str(history.run), "number": number}))
            await commit(journal, records[-1:])
    for records, (run, _, _) in zip(written, runs, strict=True):
        expect_kept(await storage.read(run), records)


@case()
async def a_rerun_goes_on_from_the_checkpoint_of_another_run(storage: Storage) -> None:
    """The first record has the origin as its parent, and holds all that the origin had pending."""
    source, journal, history = await begun(storage)
    written = [history.begin(), *history.rounds(3)]
    await commit(journal, written)
    origin = written[2]
    run = await storage.begin(START, origin.id)
    opened = await storage.open(run)
    expect(opened.head == Head(origin.id, 0), f"a rerun of {origin.id} stands at {opened.head}")
    expect_same(opened.snapshot, origin.snapshot)
    again = History.on(run, opened)
    rerun = again.rounds(2)
    await commit(opened.journal, rerun)
    expect_kept(await storage.read(run), rerun)
    expect_kept(await storage.read(source), written)


@case(Capability.SHARED)
async def a_journal_goes_on_from_a_head_that_another_has_written(storage: Storage) -> None:
    """A run is taken up in the middle: before its first checkpoint, and after several."""
    run, _, history = await begun(storage)
    written = []
    for number in range(3):
        opened = await storage.open(run)
        expect(opened.head == history.head, f"{history.head} was the head, not {opened.head}")
        expect_same(opened.snapshot, history.snapshot)
        new = [history.goes_round(ODD, **ODD), *history.rounds(2)] if number else [history.begin()]
        await commit(opened.journal, new)
        written += new
    expect_kept(await storage.read(run), written)


CASES = (
    records_come_back_equal_and_in_order,
    several_records_of_one_append_come_back_as_those_of_several_appends_do,
    odd_values_come_back_as_they_were,
    large_events_and_values_come_back_equal,
    a_long_history_comes_back_at_each_of_its_checkpoints,
    runs_apart_do_not_mix,
    a_rerun_goes_on_from_the_checkpoint_of_another_run,
    a_journal_goes_on_from_a_head_that_another_has_written,
)
