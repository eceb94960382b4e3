"""Workflows of any shape and pace: reruns, and runs taken up after a crash, give the same result.

Some plans are the same in every run of the tests, and some are drawn anew, by a seed that its
header tells. To have these again, or others: `TEST_SEED=7 make test ARGS="-k any_workflow"`.

The long form tries 20,000 plans, which takes more than an hour of a core. Several processes share
the work if each has a seed of its own and fewer plans (`TEST_PLANS=5000`). The timer that shows
where a test hangs must not go off meanwhile, since it can end the process that it looks into:

    TEST_SEED=7 pytest -m slow -o faulthandler_timeout=0 tests/engine/test_any_workflow.py
"""

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from cairn import Checkpoint, Event, WorkflowRuntimeError
from cairn.engine.core.advance import advance
from cairn.engine.core.fact_json import from_json, to_json
from cairn.engine.core.facts import Fact
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delta
from cairn.engine.library.adopting import adopted
from cairn.engine.library.rerun import beginning
from cairn.engine.runtime.retrying import log
from cairn.engine.values.sealed import SealedEvent
from cairn.store.stored_facts import MAX_ID, is_told, told
from tests.conftest import SEED_VARIABLE
from tests.engine.planned.crashes import killed, taken_up
from tests.engine.planned.expected import Expected
from tests.engine.planned.lives import Life, check, check_outcome, failed, rerun, run
from tests.engine.planned.plan import Add, Piece, Plan
from tests.engine.planned.plans_that_failed import FOUND
from tests.engine.planned.random_plans import plans
from tests.engine.planned.workflow import Planned
from tests.engine.tools.virtual_time import in_virtual_time

COMMON = settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
Cut = Sequence[Record]
"""What a run has left up to some instant."""

WORKFLOWS = 2_000
SEED = int(os.environ[SEED_VARIABLE])
FIXED = settings(COMMON, max_examples=3_800, derandomize=True)  # some are drawn more than once
OF_THE_DAY = settings(COMMON, max_examples=400)
FOR_LONG = settings(COMMON, max_examples=int(os.environ.get("TEST_PLANS", "20000")))


@pytest.fixture(autouse=True, scope="module")
def _quietly() -> Iterator[None]:
    """A hundred thousand attempts fail on purpose, and each is worth a line in the log."""
    level, log.level = log.level, logging.ERROR
    yield
    log.setLevel(level)


async def live(plan: Plan, again: int) -> None:
    """Run the plan, rerun it from everywhere, and take it up from everywhere."""
    expected = Expected(plan)
    source = await run(plan)
    check(expected, source, [], "the run itself")
    await break_off(expected, again)
    records, checkpoints = source.records, source.checkpoints
    check_facts(records)
    for seq in range(len(records)):
        cut = records[:seq]
        life = await taken_up(plan, cut, seq)
        check(expected, life, cut, f"taken up after {seq} checkpoints")
    for seq, checkpoint in enumerate(checkpoints[:-1], 1):
        life = await rerun(plan, checkpoint, records[:seq], seq)
        check(expected, life, records[:seq], f"rerun from checkpoint {seq}")
        if seq % 6 == again % 6:
            await rerun_changed(expected, checkpoint, records[:seq])
        if seq == again:
            await rerun_all(expected, life, records[:seq])


def check_facts(records: Cut) -> None:
    """Check that facts as a database keeps them come to the same changes, and are adopted alike."""
    routes = Planned.graph_of_class().routes
    kept: list[tuple[Fact, Delta]] = []
    newest = MAX_ID
    for record in records:
        written = orjson.dumps(to_json(record.fact, lambda value: value, SealedEvent.to_json))
        fact: Fact | None = from_json(orjson.loads(written), lambda value: value)
        assert fact is not None
        assert type(fact) is type(record.fact)
        assert advance(routes, record.before, fact) == record.delta
        if is_told(record, newest):
            step, has_taken = record.last_completed_step, record.input_event is not None
            fact = told(step, has_taken, record.output_event, record.delta)
            assert type(fact) is type(record.fact)
        newest = record.first_id
        kept.append((fact, record.delta))
    facts = [(record.fact, record.delta) for record in records]
    for seq, record in enumerate(records, 1):
        in_flight = [id_ for id_ in record.snapshot.deliveries if id_ < record.first_id]
        as_kept = adopted(record.snapshot, in_flight, kept[seq:])
        assert [*map(written_out, as_kept)] == [
            *map(written_out, adopted(record.snapshot, in_flight, facts[seq:]))
        ]


def written_out(fact: Fact) -> bytes:
    return orjson.dumps(to_json(fact, lambda value: value, SealedEvent.to_json))


async def rerun_all(expected: Expected, source: Life, before: Cut) -> None:
    for seq, checkpoint in enumerate(source.checkpoints[:-1], 1):
        done = [*before, *source.records[:seq]]
        life = await rerun(expected.plan, checkpoint, done, seq + 1)
        check(expected, life, done, f"rerun from checkpoint {seq} of a rerun from {len(before)}")


async def rerun_changed(expected: Expected, checkpoint: Checkpoint, before: Cut) -> None:
    """Rerun in ways that must give the same outcome.

    That is through JSON; with the results of the steps in flight; with the same event again in
    place of the output event; and with the checkpoint's own step executed again.
    """
    plan, seq = expected.plan, len(before)
    life = await rerun(plan, through_json(checkpoint), before, seq + 1)
    check(expected, life, before, f"rerun from checkpoint {seq}, through JSON")
    life = await rerun(plan, checkpoint, before, seq + 2, in_flight="adopt")
    check_outcome(expected, life, before, f"rerun from checkpoint {seq}, with what was in flight")
    given_ = checkpoint.output_event
    if given_ is not None and can_be_given(checkpoint, given_):
        life = await rerun(plan, checkpoint, before, seq + 3, output_event=given_)
        check(expected, life, before, f"rerun from checkpoint {seq}, with its event again")
    if checkpoint.last_completed_step is not None:
        rest = before[:-1]
        life = await rerun(plan, checkpoint, rest, seq + 4, when="before")
        check(expected, life, rest, f"rerun from before checkpoint {seq}")
        life = await rerun(plan, checkpoint, rest, seq + 5, in_flight="adopt", when="before")
        check_outcome(expected, life, rest, f"rerun from before checkpoint {seq}, adopting")


def can_be_given(checkpoint: Checkpoint, event: Event) -> bool:
    """Whether it can stand for the checkpoint's own: not where that was collected, or is a list."""
    try:
        beginning(Planned.graph_of_class(), checkpoint, output_event=event)
    except WorkflowRuntimeError:
        return False
    return True


async def break_off(expected: Expected, instant: int) -> None:
    """Have the run fail, and go on once its code is mended; and kill it twice."""
    plan = expected.plan
    if plan.pieces:
        source = await failed(plan, instant % len(plan.pieces))
        life = await rerun(plan, source.checkpoints[-1], source.records, instant)
        check(expected, life, source.records, "mended")
    cut: Cut = []
    for pace in (0, instant):
        cut = await killed(plan, cut, pace, instant)
    check(expected, await taken_up(plan, cut, instant + 1), cut, f"killed at {len(cut)}")


def through_json(checkpoint: Checkpoint) -> Checkpoint:
    return Checkpoint.model_validate_json(checkpoint.model_dump_json())


def tried(plan: Plan, again: int) -> None:
    """Live the plan; a failure tells all that is needed to have it again."""
    try:
        in_virtual_time(live(plan, again))
    except BaseException as error:
        error.add_note(f"again={again}, {SEED_VARIABLE}={SEED}, and the plan whole:\n{plan!r}")
        raise


@pytest.mark.parametrize("plan", FOUND, ids=["read by an edit", "asked twice"])
def test_a_plan_that_once_failed_gives_the_same_from_everywhere(plan: Plan) -> None:
    tried(plan, 0)


# Small ones: a run of twice as many checkpoints is four times the work.
def test_a_rerun_from_any_checkpoint_of_any_run_gives_the_same() -> None:
    done: set[Plan] = set()

    @FIXED
    @given(plans(2, 3, 5), st.integers(0, 24))
    def any_workflow(plan: Plan, again: int) -> None:
        if plan not in done:
            tried(plan, again)
            done.add(plan)

    any_workflow()
    assert len(done) >= WORKFLOWS


@seed(SEED)
@OF_THE_DAY
@given(plans(2, 3, 5, 10), st.integers(0, 24))
def test_so_it_does_for_workflows_that_each_run_of_the_tests_draws_anew(
    plan: Plan, again: int
) -> None:
    tried(plan, again)


@pytest.mark.slow
@seed(SEED)
@FOR_LONG
@given(plans(6, 10, 15), st.integers(0, 40))
def test_a_rerun_from_any_checkpoint_of_any_long_run_gives_the_same(plan: Plan, again: int) -> None:
    tried(plan, again)


def test_a_hundred_runs_at_once_are_apart() -> None:
    adds = (Add("count", "set", 1, 3), Add("list", "in place", 2, 1))
    piece = Piece(0, "first", "work", 3, 1, 0, 2, False, adds)
    plan = Plan((piece, piece), (), (), True)

    async def at_once() -> list[Life]:
        return await asyncio.gather(*(run(plan) for _ in range(100)))

    for life in in_virtual_time(at_once()):
        check(Expected(plan), life, [], "one of a hundred")
