"""What a checkpoint costs does not grow with a large state in many small values, either."""

from pathlib import Path

from tests.api.asking import serving
from tests.store.test_bytes import MOST, rested, size

WORKFLOWS = Path(__file__).with_name("workflows")


async def test_values_that_a_step_does_not_touch_are_not_written_again(
    database_url: str,
) -> None:
    first, last = 10, 510
    async with serving(database_url, WORKFLOWS) as cairn:
        run = await cairn.start("haul", {"rests": [first, last, last + 1], "in_parcels": True})
        begun, before = await rested(cairn, run, first), size(database_url)
        await cairn.tell(run, "GoOn", number=first)
        ended, after = await rested(cairn, run, last), size(database_url)
        await cairn.tell(run, "GoOn", number=last)
        assert (await cairn.until(run, "completed"))["result"] == last + 1
    assert (after - before) / (ended - begun) <= MOST


async def test_values_that_a_fan_out_does_not_touch_are_not_written_again(
    database_url: str,
) -> None:
    width = 1_000
    async with serving(database_url, WORKFLOWS) as cairn:
        run = await cairn.start("deliveries", {"width": width})
        begun, before = await rested(cairn, run, 2), size(database_url)
        await cairn.tell(run, "GoOn", number=0)
        ended, after = await rested(cairn, run, 2 * width), size(database_url)
        await cairn.tell(run, "Receipt", number=width)
        assert (await cairn.until(run, "completed"))["result"] == width
    assert (after - before) / (ended - begun) <= MOST
