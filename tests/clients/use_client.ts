/** What a team does with the types that it has made of docs/openapi.json: `node use_client.ts URL`. */

import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { components, paths } from "./api.d.ts";

const url = process.argv[2] ?? "";
const api = createClient<paths>({ baseUrl: url });

// Kick off, and follow the stream as an EventSource does: by its address alone.
const kickedOff = await api.POST("/orchestrations", {
  body: { job_name: "halve", params: [{ n: 2 }, { n: 3 }], tags: { customer: "zeta" } },
});
assert.ok(kickedOff.data, JSON.stringify(kickedOff.error));
assert.equal(kickedOff.response.status, 201);
const orchestration_id = kickedOff.data.orchestration_id;
const params = { path: { orchestration_id } };
const { data: token } = await api.POST("/orchestrations/{orchestration_id}/stream-tokens", { params });
assert.ok(token);
const stream = await (await fetch(new URL(token.url, `${url}/`))).text();
const events = stream
  .replaceAll("\r", "")
  .split("\n\n")
  .map((text) => Object.fromEntries(text.split("\n").map((line) => line.split(/: (.*)/s))));
const snapshot = events.find(({ event }) => event === "snapshot");
const first: components["schemas"]["SnapshotEvent"] = JSON.parse(snapshot?.data);
assert.equal(first.orchestration.total, 2);
const last: components["schemas"]["CompletedEvent"] = JSON.parse(
  events.find(({ event }) => event === "completed")?.data,
);
assert.equal(last.orchestration.status, "Errored");

// Read what came of it, and not again what is known.
const results = await api.GET("/orchestrations/{orchestration_id}/results", { params });
assert.deepEqual(
  results.data?.items.map(({ result }) => result),
  [1],
);
const failures = await api.GET("/orchestrations/{orchestration_id}/failures", { params });
assert.equal(failures.data?.items[0]?.error.message, "3 is odd");
const shown = await api.GET("/orchestrations/{orchestration_id}", { params });
const known = shown.response.headers.get("etag") ?? "";
const unchanged = await api.GET("/orchestrations/{orchestration_id}", {
  params: { ...params, header: { "If-None-Match": known } },
});
assert.equal(unchanged.response.status, 304);

// Read a list page by page.
let seen = 0;
let next_token: string | undefined;
do {
  const page = await api.GET("/orchestrations", { params: { query: { limit: 1, next_token } } });
  assert.ok(page.data);
  seen += page.data.items.length;
  next_token = page.data.next_token ?? undefined;
} while (next_token !== undefined);
assert.ok(seen >= 1);

// Make a schedule, and delete it.
const made = await api.PUT("/schedules/{name}", {
  params: { path: { name: "hourly" } },
  body: { job_name: "halve", params: [{ n: 2 }], cron: "0 * * * *" },
});
assert.equal(made.response.status, 201);
assert.equal((made.data as components["schemas"]["ScheduleView"]).state, "active");
const gone = await api.DELETE("/schedules/{name}", { params: { path: { name: "hourly" } } });
assert.equal(gone.response.status, 204);

// Problems are typed, whatever refuses.
const refusals: [{ error?: components["schemas"]["Problem"]; response: Response }, number, string][] = [
  [await api.POST("/orchestrations", { body: { job_name: "havle", params: [] } }), 422, "UnknownJobName"],
  [
    await api.GET("/orchestrations/{orchestration_id}", { params: { path: { orchestration_id: "x" } } }),
    422,
    "InvalidRequest",
  ],
  [await api.GET("/streams", { params: { query: { token: "x" } } }), 401, "StreamTokenRefused"],
];
for (const [{ error, response }, status, name] of refusals) {
  assert.deepEqual([response.status, error?.status, error?.error], [status, status, name]);
  assert.ok(error && error.detail.length > 20 && error.title && error.type);
}
console.log(`${refusals.length} refusals`);
