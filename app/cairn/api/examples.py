"""Examples for the OpenAPI schema: answers about the run of a workflow, and refusals."""

from typing import Any

from cairn.errors import Problem

WORKFLOW = "joke"
CONTEXT, RUN = "0198c0de-0000-7000-8000-00000000000a", "0198c0de-0000-7000-8000-00000000000b"
RERUN, STEP = "0198c0de-0000-7000-8000-00000000000c", "0198c0de-0000-7000-8000-00000000000d"
START = "0198c0de-0000-7000-8000-00000000000e"
JOKE = {"type": "JokeEvent", "data": {"joke": "Parallel lines have so much in common."}}
CURSOR = "MDE5OGMwZGUtMDAwMC03MDAwLTgwMDAtMDAwMDAwMDAwMDBi"

COMPLETED: dict[str, Any] = {
    "id": RUN,
    "workflow": WORKFLOW,
    "status": "completed",
    "context_id": CONTEXT,
    "start_event": {"topic": "math"},
    "result": "It is short, and true to geometry.",
    "error": None,
    "parent_run_id": None,
    "root_run_id": RUN,
    "origin_checkpoint_id": None,
    "checkpoint_count": 3,
    "waiting_for": [],
    "name": "the short one",
    "note": None,
    "tags": [],
    "created_at": "2026-01-31T12:00:00.000000Z",
    "started_at": "2026-01-31T12:00:00.001000Z",
    "finished_at": "2026-01-31T12:00:02.500000Z",
    "omitted": [],
}
UNDER_WAY = COMPLETED | {
    "status": "running",
    "result": None,
    "checkpoint_count": 1,
    "finished_at": None,
}
CANCELLED = UNDER_WAY | {
    "status": "cancelled",
    "error": {
        "type": "WorkflowCancelledByUser",
        "message": "The run was cancelled.",
        "step": None,
    },
    "finished_at": "2026-01-31T12:00:01.000000Z",
}
RERUN_OF_IT = {
    "id": RERUN,
    "parent_run_id": RUN,
    "origin_checkpoint_id": STEP,
}
CHECKPOINT: dict[str, Any] = {
    "id": STEP,
    "run_id": RUN,
    "context_id": CONTEXT,
    "workflow": WORKFLOW,
    "seq": 2,
    "parent_id": START,
    "last_completed_step": "generate_joke",
    "input_event_type": "StartEvent",
    "output_event_type": "JokeEvent",
    "name": None,
    "note": "Its pun is the best so far.",
    "tags": ["good"],
    "created_at": "2026-01-31T12:00:01.200000Z",
}
WITH_EVENTS = CHECKPOINT | {
    "input_event": {"type": "StartEvent", "data": {"topic": "math"}},
    "output_event": JOKE,
}
WHOLE = WITH_EVENTS | {
    "ctx_state": {
        "globals": {},
        "streaming_queue": "[]",
        "queues": {"critique_joke": [JOKE]},
        "stepwise": False,
        "events_buffer": {},
        "accepted_events": [["generate_joke", "StartEvent"]],
        "broker_log": [],
        "is_running": True,
    }
}
OF_STEP = {"step": "generate_joke", "delivery": 1}
STREAMED = OF_STEP | {
    "position": "1.1",
    "at": "2026-01-31T12:00:00.500000Z",
    "event": "stream",
    "attempt": 1,
    "data": {"type": "Token", "data": {"text": "Parallel"}},
}
FAILED_ATTEMPT = OF_STEP | {
    "position": "1.2",
    "at": "2026-01-31T12:00:00.600000Z",
    "event": "attempt",
    "attempt": 1,
    "error": {"type": "APITimeoutError", "message": "Request timed out."},
    "next_at": "2026-01-31T12:00:01.600000Z",
}
CHECKPOINTED = {
    "position": "2.0",
    "at": "2026-01-31T12:00:01.200000Z",
    "event": "checkpoint",
    "checkpoint": CHECKPOINT,
}
ENDED = {
    "position": "4.0",
    "at": "2026-01-31T12:00:02.500000Z",
    "event": "status",
    "status": "completed",
}
MADE = {"id": CONTEXT, "workflow": WORKFLOW, "created_at": "2026-01-31T11:59:00.000000Z"}
JOKE_SCHEMA = {
    "title": "JokeEvent",
    "type": "object",
    "properties": {"joke": {"title": "Joke", "type": "string"}},
    "required": ["joke"],
}
JOKES: dict[str, Any] = {
    "name": WORKFLOW,
    "description": "Writes a joke about a topic, then criticises it.",
    "start_event_schema": {"title": "StartEvent", "type": "object"},
    "stop_event_schema": {"title": "StopEvent", "type": "object"},
    "event_schemas": {"JokeEvent": JOKE_SCHEMA},
    "steps": [
        {"name": "generate_joke", "takes": ["StartEvent"], "gives": ["JokeEvent"], "num_workers": 4}
    ],
    "graph": "flowchart TD\n  StartEvent --> generate_joke --> JokeEvent",
}
START_EVENT = {"type": "StartEvent", "data": {"topic": "math"}}
JOKES_TOLD = {"op": "replace", "path": "/jokes_told", "value": 2, "old": 1}
DIFF: dict[str, Any] = {
    "checkpoint_id": STEP,
    "against_id": START,
    "state": [JOKES_TOLD],
    "became_pending": [{"step": "critique_joke", "event_type": "JokeEvent", "event": JOKE}],
    "settled": [{"step": "generate_joke", "event_type": "StartEvent", "event": START_EVENT}],
    "input_event": START_EVENT,
    "output_event": JOKE,
}
TOLD: dict[str, Any] = {
    "checkpoint_id": STEP,
    "run_id": RUN,
    "seq": 2,
    "input_event_type": "StartEvent",
    "output_event_type": "JokeEvent",
    "seconds": 1.2,
}
TWICE: dict[str, Any] = {
    "step": "generate_joke",
    "occurrence": 1,
    "run": TOLD,
    "other": TOLD | {"run_id": RERUN, "seq": 1, "seconds": 0.9},
    "equal": False,
    "input_event_equal": True,
    "output_event_equal": False,
}
COMPARED: dict[str, Any] = {
    "run": {"id": RUN, "status": "completed", "result": COMPLETED["result"], "error": None},
    "other": {"id": RERUN, "status": "running", "result": None, "error": None},
    "common_ancestor": {"checkpoint_id": START, "run_id": RUN, "seq": 1},
    "steps": [TWICE],
    "truncated": False,
    "first_divergence": TWICE,
    "state": [JOKES_TOLD],
}
ROOT: dict[str, Any] = {
    "id": RUN,
    "workflow": WORKFLOW,
    "status": "completed",
    "parent_run_id": None,
    "origin_checkpoint_id": None,
    "origin_seq": None,
    "name": "the short one",
    "tags": [],
    "created_at": "2026-01-31T12:00:00.000000Z",
}
CHILD = ROOT | RERUN_OF_IT | {"origin_seq": 2, "created_at": "2026-01-31T12:01:00.000000Z"}
STORAGE = {
    "checkpoint_count": 3,
    "own_bytes": 2_817,
    "shared_bytes": 1_204,
    "row_bytes": 1_950,
    "own_blobs": 2,
    "shared_blobs": 1,
}
ASKED: dict[str, Any] = {
    "type": "Decision",
    "schema": {
        "title": "Decision",
        "type": "object",
        "properties": {"approved": {"title": "Approved", "type": "boolean"}},
        "required": ["approved"],
    },
    "question": {"type": "ApprovalRequired", "data": {"question": "Pay 500?"}},
    "requirements": {},
    "since": "2026-01-31T12:00:01.000000Z",
    "deadline": None,
    "run_id": RUN,
    "workflow": "approval",
    "context_id": CONTEXT,
    "answer": {"method": "POST", "path": f"/runs/{RUN}/events"},
}
WELL = {"status": "ok"}

ANSWERS: dict[tuple[str, int], Any] = {
    ("start_run", 202): UNDER_WAY,
    ("start_run", 200): COMPLETED,
    ("list_runs", 200): {
        "items": [COMPLETED],
        "next_cursor": CURSOR,
        "count": {"value": 7, "relation": "exact"},
    },
    ("list_waiting", 200): {"items": [ASKED], "next_cursor": None},
    ("get_run", 200): COMPLETED,
    ("cancel_run", 200): CANCELLED,
    ("send_event", 202): UNDER_WAY,
    ("list_run_checkpoints", 200): {"items": [CHECKPOINT], "next_cursor": "Mg=="},
    ("find_checkpoints", 200): {"items": [CHECKPOINT], "next_cursor": CURSOR},
    ("get_checkpoint", 200): WHOLE,
    ("put_tags", 200): CHECKPOINT,
    ("annotate_checkpoint", 200): CHECKPOINT,
    ("annotate_run", 200): COMPLETED,
    ("diff_checkpoint", 200): DIFF,
    ("compare_runs", 200): COMPARED,
    ("get_lineage", 200): {"items": [ROOT, CHILD], "next_cursor": None},
    ("get_storage", 200): STORAGE,
    ("rerun", 202): UNDER_WAY | RERUN_OF_IT,
    ("rerun", 200): COMPLETED | RERUN_OF_IT,
    ("rerun_run", 202): UNDER_WAY | RERUN_OF_IT,
    ("rerun_run", 200): COMPLETED | RERUN_OF_IT,
    ("watch_run", 200): {
        "items": [STREAMED, FAILED_ATTEMPT, CHECKPOINTED, ENDED],
        "next_cursor": None,
        "is_over": True,
    },
    ("list_attempts", 200): {"run_id": RUN, "items": [FAILED_ATTEMPT], "next_cursor": None},
    ("create_context", 201): MADE,
    ("get_context", 200): MADE,
    ("list_context_checkpoints", 200): {"items": [WITH_EVENTS], "next_cursor": None},
    ("list_workflows", 200): {"items": [JOKES], "broken": [], "next_cursor": None},
    ("get_workflow", 200): JOKES,
    ("live", 200): WELL,
    ("ready", 200): WELL,
}
"""The JSON of answers, by operation and status."""

REFUSED: dict[str, str] = {
    "malformed-request": "The body is not JSON: Expecting value.",
    "other-origin": "Pages of other origins may not do this. If this one may, list its origin in "
    "the setting CAIRN_CORS_ORIGINS.",
    "other-host": "The service does not go by the host that the request names. Ask it by its IP "
    "address or as localhost, or list the name in the setting CAIRN_ALLOWED_HOSTS.",
    "not-found": f"There is no run {RUN}. GET /runs lists them all.",
    "workflow-not-loaded": "There is no workflow 'jest'. There are: approval, joke, research. "
    "GET /workflows also tells which files could not be loaded.",
    "run-ended": f"Run {RUN} is completed, and takes no more events. "
    "Rerun it from one of its checkpoints.",
    "run-under-way": f"Run {RUN} is running. Wait until it has ended, or cancel it first: "
    f"POST /runs/{RUN}/cancel.",
    "context-busy": f"A run is under way in context {CONTEXT}. Wait for it, "
    'or start with "if_busy": "queue" to be next.',
    "context-of-another-workflow": f"Context {CONTEXT} is one of workflow 'approval', and cannot "
    "be used with 'joke'. POST /contexts makes another.",
    "workflows-differ": f"Run {RUN} is one of workflow 'joke', and run {RERUN} one of 'approval'. "
    "Compare runs of the same workflow: GET /runs?workflow= lists them.",
    "checkpoint-tagged": f"Checkpoint {STEP} is tagged, and kept. Take its tags off first: "
    f'PATCH /checkpoints/{STEP} with {{"tags": []}}.',
    "event-not-wanted": f"Run {RUN} does not wait for a HumanResponseEvent, and no step of it "
    "takes one. It waits for: Verdict. Its steps take: Verdict.",
    "question-answered": f"Run {RUN} does not wait for a Verdict any more: what it asked has been "
    f"answered, and no step takes another. GET /runs/{RUN} shows what it waits for.",
    "step-gone": "Step 'rank', for which a pending Ranked was sent, is not in the workflow any "
    "more. Its steps are: fetch, order. Bring the step back, or mark the one that has its place "
    f"now: @step(was='rank'). Or rerun from an earlier checkpoint: {START}.",
    "nothing-left-to-run": f"The run had ended at checkpoint {STEP}: nothing is left to run from "
    "there. Take an earlier checkpoint.",
    "step-not-found": f"Step 'critique' has no completion -1 in run {RUN}. Steps that completed "
    "there: critique_joke, generate_joke.",
    "not-begun": f"Run {RUN} is queued, and has no checkpoint yet to rerun from.",
    "facts-unknown": "This run was made by an earlier version, which did not keep what a rerun "
    "could adopt: what was in flight can be executed again. Leave in_flight out, or say "
    '"rerun".',
    "change-does-not-fit": "output_event is a StartEvent, which does not fit: at this checkpoint "
    "step 'generate_joke' gives JokeEvent.",
    "idempotency-key-reused": "The idempotency key 'monday' was used for another body. "
    "Use a new key for a new request, and the same body to repeat one.",
    "body-too-large": "The body has more than 10000000 bytes: send less.",
    "too-many-values": "The body has more than 100000 values. Send fewer, in several requests or "
    "as text, or raise CAIRN_MAX_BODY_VALUES.",
    "media-type-not-json": "Send JSON, and say so: the header Content-Type: application/json.",
    "invalid-request": "The request does not fit: query.colour: there is no such parameter. "
    "See /docs for what is taken.",
    "invalid-cursor": "This is no cursor of this list. Pass a `next_cursor` as it was given.",
    "invalid-event": "These fields do not make a Verdict: body.data.approved: Field required.",
    "event-not-taken": "'StopEvent' is no event that workflow 'joke' can be told.",
    "number-too-large": "body.start_event.topic: This number is too large to be kept as it is.",
    "damaged": "What was stored here cannot be read back: the database is damaged. "
    "Restore it from a copy, or go on from another checkpoint.",
    "unexpected": "Something went wrong here, not with the request. The log tells what.",
    "unavailable": "There is more to write than can be written. Try again soon.",
}
"""The `detail` of a problem, by code."""

WRONG: dict[str, Problem] = {
    "invalid-request": Problem(("query", "colour"), "there is no such parameter"),
    "invalid-cursor": Problem(("query", "cursor"), "This is no cursor of this list."),
    "invalid-event": Problem(("body", "data", "approved"), "Field required"),
    "change-does-not-fit": Problem(
        ("body", "output_event"), "output_event is a StartEvent, which does not fit."
    ),
    "event-not-taken": Problem(("body", "type"), "Name an event that GET /workflows/{name} lists."),
    "number-too-large": Problem(("body", "start_event", "topic"), "This number is too large."),
}
