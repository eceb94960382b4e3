"""The shapes of workflow, one after the other."""

import pytest

from tests.engine.flows.sending import SHAPES, Shape


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.workflow.__name__)
def shape(request: pytest.FixtureRequest) -> Shape:
    found: Shape = request.param
    return found
