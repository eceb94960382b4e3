"""Lists of checkpoints: query parameters and responses."""

from collections.abc import Mapping
from typing import Literal

from fastapi import Response
from pydantic import Field

from cairn.api.requests import Paged, cursor
from cairn.api.responses import json_response
from cairn.api.schemas import CheckpointOut, CheckpointWithEvents, List, checkpoint_out
from cairn.store.checkpoints import CheckpointSummary
from cairn.store.facets import Filters
from cairn.store.pages import Page


class CheckpointList(List[CheckpointWithEvents | CheckpointOut]):
    """Some of the checkpoints, and where the next ones begin."""


class CheckpointQuery(Paged):
    """Query parameters of a list of checkpoints, each of which matches all filters given."""

    last_completed_step: str | None = Field(None, description="The step that completed last.")
    input_event_type: str | None = Field(None, description="The type of the event it took.")
    output_event_type: str | None = Field(None, description="The type of the event it gave.")
    include: Literal["events"] | None = Field(None, description="`events`: with both events.")

    @property
    def events(self) -> bool:
        """True if the checkpoints are to have their events."""
        return self.include == "events"

    def filters(self) -> Filters:
        """The filters in the form that the store takes."""
        return Filters(self.last_completed_step, self.input_event_type, self.output_event_type)


async def checkpoints_response(
    page: Page[CheckpointSummary],
    events: bool,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response with a page of checkpoints, with their events or without."""
    return await json_response(
        [(listed.input_event, listed.output_event) for listed in page.items],
        lambda: CheckpointList(
            items=[checkpoint_out(listed, events) for listed in page.items],
            next_cursor=cursor(page.next_position),
        ),
        headers=headers,
    )
