"""The fast path of `advance` comes to the same delta as the general way."""

from hypothesis import HealthCheck, given, settings

from cairn.engine.core import plain
from cairn.engine.core.advance import drafted
from cairn.engine.core.facts import Completed
from cairn.engine.core.snapshot import Snapshot
from tests.engine.planned.lives import run
from tests.engine.planned.plan import Plan
from tests.engine.planned.random_plans import plans
from tests.engine.tools.virtual_time import in_virtual_time

FACTS = 60
"""The fewest facts that go each way."""


def test_every_fact_of_any_workflow_that_the_fast_path_takes() -> None:
    taken = left = 0

    @settings(
        max_examples=120,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(plans(2, 3, 5))
    def any_workflow(plan: Plan) -> None:
        nonlocal taken, left
        life = in_virtual_time(run(plan))
        routes, snapshot = life.workflow.graph.routes, Snapshot()
        for record in life.records:
            if isinstance(record.fact, Completed):
                fast = plain.delta(routes, snapshot, record.fact)
                taken, left = taken + (fast is not None), left + (fast is None)
                assert fast in (None, drafted(routes, snapshot, record.fact))
            snapshot = record.snapshot

    any_workflow()
    assert taken >= FACTS
    assert left >= FACTS
