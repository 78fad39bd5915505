/** Requests to the progress API. Every address is relative to the page, so that it works below any path. */

import { noteServerTime } from "./clock.js";

/** The API refused, or could not be reached (status 0); the message says why, and what to do. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where the API could not be reached
   * @param {string} kind
   * @param {string} message
   */
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }

  /** Whether API Gateway, or a proxy, requires a signature or a token. */
  get isLocked() {
    const kinds = ["", "AuthenticationRequired", "AccessDenied"];
    return this.status === 401 || (this.status === 403 && kinds.includes(this.kind));
  }
}

/** @param {string} id */
export const path = (id) => `orchestrations/${encodeURIComponent(id)}`;

/**
 * @param {string} where
 * @param {Record<string, string | number | null | undefined>} [query]
 * @param {number} [patience] milliseconds after which the API counts as unreachable
 */
export const get = (where, query = {}, patience) => ask("GET", where, query, undefined, patience);

/**
 * @param {string} where
 * @param {object} body
 */
export const post = (where, body) => ask("POST", where, {}, body);

/**
 * @param {string} where
 * @param {object} body
 */
export const put = (where, body) => ask("PUT", where, {}, body);

/** @param {string} where */
export const remove = (where) => ask("DELETE", where, {});

/**
 * @param {string} method
 * @param {string} where
 * @param {Record<string, string | number | null | undefined>} query
 * @param {object} [body]
 * @param {number} [patience]
 * @returns {Promise<any>} the JSON of the answer
 */
async function ask(method, where, query, body, patience) {
  const url = new URL(where, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  const options =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const signal = patience === undefined ? null : AbortSignal.timeout(patience);
  let answer;
  try {
    answer = await fetch(url, { method, cache: "no-store", signal, ...options });
  } catch {
    dispatchEvent(new CustomEvent("reachable", { detail: false }));
    throw new ApiError(0, "Unreachable", "The API does not answer. Is the stack up?");
  }
  dispatchEvent(new CustomEvent("reachable", { detail: true }));
  noteServerTime(answer.headers.get("date"));
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok)
    throw new ApiError(
      answer.status,
      content.error ?? "",
      content.detail ?? content.message ?? answer.statusText,
    );
  return content;
}
