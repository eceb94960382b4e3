"""A fixture for all rooms: each workflow of `SHAPES` in turn."""

import pytest

from tests.engine.flows.shapes import SHAPES, Shape


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.workflow.__name__)
def shape(request: pytest.FixtureRequest) -> Shape:
    found: Shape = request.param
    return found
