"""The refusals for absent runs, checkpoints and contexts, with the request that lists them."""

from uuid import UUID

from cairn.errors import NotFound


def run(run_id: UUID) -> NotFound:
    """A refusal: there is no such run."""
    return NotFound(f"There is no run {run_id}. GET /runs lists them all.")


def checkpoint(checkpoint_id: UUID) -> NotFound:
    """A refusal: there is no such checkpoint."""
    return NotFound(
        f"There is no checkpoint {checkpoint_id}. GET /runs/{{id}}/checkpoints lists a run's."
    )


def context(context_id: UUID) -> NotFound:
    """A refusal: there is no such context."""
    return NotFound(f"There is no context {context_id}. POST /contexts makes one.")
