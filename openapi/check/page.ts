// What a page does with the service: it is compiled, to see that the schema makes a usable client.

import createClient from "openapi-fetch";

import type { components, paths } from "./made/schema.js";

type Problem = components["schemas"]["Problem"];

// Some lists come as lines and events, too: a page asks for JSON.
type Json = "application/json" | "application/problem+json";

const cairn = createClient<paths, Json>({ baseUrl: "http://127.0.0.1:8000" });

function refused(problem: Problem): Error {
  switch (problem.type) {
    case "/problems/context-busy":
      return new Error("One run at a time, please.");
    case "/problems/invalid-event":
      return new Error(problem.errors?.map((it) => `${it.where.join(".")}: ${it.message}`).join());
    default:
      return new Error(`${problem.title}: ${problem.detail}`);
  }
}

export async function start(topic: string, context_id: string): Promise<string> {
  const { data: run, error } = await cairn.POST("/runs", {
    params: { header: { prefer: "wait=30", "Idempotency-Key": topic } },
    body: { workflow: "joke", start_event: { topic }, context_id },
  });
  if (error) throw refused(error);
  return run.error ? `${run.error.type}: ${run.error.message}` : String(run.result);
}

export async function unfinished(): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | null = null;
  do {
    const query: { status: "waiting"[]; cursor: string | null } = { status: ["waiting"], cursor };
    const { data: page, error } = await cairn.GET("/runs", { params: { query } });
    if (error) throw refused(error);
    found.push(...page.items.map((run) => run.id));
    cursor = page.next_cursor;
  } while (cursor !== null);
  return found;
}

export async function rerun(run_id: string, step: string): Promise<string | undefined> {
  const { data: page, error } = await cairn.GET("/runs/{run_id}/checkpoints", {
    params: { path: { run_id }, query: { last_completed_step: step, include: "events" } },
  });
  if (error) throw refused(error);
  const checkpoint = page.items[0];
  if (!checkpoint) return undefined;
  if ("output_event" in checkpoint) console.log(checkpoint.output_event?.data["joke"]);
  const path = { checkpoint_id: checkpoint.id };
  const { data: made, error: refusal } = await cairn.POST("/checkpoints/{checkpoint_id}/rerun", {
    params: { path },
  });
  if (refusal) throw refused(refusal);
  return made.id;
}
