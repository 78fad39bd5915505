/** Asks the progress API. Every address is relative to the page, so that it works below any path. */

import { heard } from "./now.js";

/** The API refused, or could not be reached (status 0); the message says why, and what to do. */
export class Refused extends Error {
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }

  /** Whether whoever stands before the API wants a signature or a token. */
  get isLocked() {
    return this.status === 401 || (this.status === 403 && this.kind === "");
  }
}

export const path = (id) => `orchestrations/${encodeURIComponent(id)}`;

export const get = (where, query = {}) => ask("GET", where, query);

export const post = (where, body) => ask("POST", where, {}, body);

async function ask(method, where, query, body) {
  const url = new URL(where, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  const options =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  let answer;
  try {
    answer = await fetch(url, { method, cache: "no-store", ...options });
  } catch {
    throw new Refused(0, "Unreachable", "The API does not answer. Is the stack up?");
  }
  heard(answer.headers.get("date"));
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok)
    throw new Refused(answer.status, said.error ?? "", said.message ?? said.detail ?? answer.statusText);
  return said;
}
