/** Requests to the progress API. Every address is relative to the page, so that it works below any path. */

import { noteServerTime } from "./clock.js";
import { parseExactly } from "./exact_json.js";

// Other sites cannot send it without being asked for by a preflight, which the API does not answer.
const OWN = { "x-background-jobs-console": "1" };
const NO_CONTENT = 204;
const UNREADABLE =
  "What answered is not the API, or its answer was cut short. " +
  "A proxy before it may want you to sign in: load this page again.";
/** @type {Promise<boolean> | null} */
let refreshing = null;

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

  /** Whether the same request may succeed in a moment: the API is gone, fails, or has too much to do. */
  get isPassing() {
    return this.status === 0 || this.status >= 500 || this.status === 408 || this.status === 429;
  }

  /** Whether somebody is to sign in, for there is a way to. */
  get isSignedOut() {
    return this.kind === "SignInRequired";
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
  try {
    return await askOnce(method, where, query, body, patience);
  } catch (error) {
    if (!(error instanceof ApiError && error.isSignedOut && (await refreshSession()))) throw error;
    return askOnce(method, where, query, body, patience);
  }
}

/** Refresh the session, once for all requests and tabs that wait for it; tell whether it goes on. */
function refreshSession() {
  const send = () => fetch(new URL("session", document.baseURI), { method: "POST", headers: OWN });
  refreshing ??= Promise.resolve(navigator.locks ? navigator.locks.request("session", send) : send())
    .then(({ ok }) => ok)
    .catch(() => false)
    .finally(() => (refreshing = null));
  return refreshing;
}

/**
 * @param {string} method
 * @param {string} where
 * @param {Record<string, string | number | null | undefined>} query
 * @param {object} [body]
 * @param {number} [patience]
 * @returns {Promise<any>}
 */
async function askOnce(method, where, query, body, patience) {
  const url = new URL(where, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  const options =
    body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { ...OWN, "content-type": "application/json" } };
  const signal = patience === undefined ? null : AbortSignal.timeout(patience);
  let answer;
  try {
    answer = await fetch(url, { method, cache: "no-store", signal, ...options });
  } catch {
    throw lost("Unreachable", "The API does not answer. Is the stack up?");
  }
  const content = answer.status === NO_CONTENT ? {} : await readObject(answer);
  if (content === null && answer.ok) throw lost("Unreadable", UNREADABLE);
  dispatchEvent(new CustomEvent("reachable", { detail: true }));
  noteServerTime(answer.headers.get("date"));
  if (!answer.ok)
    throw new ApiError(
      answer.status,
      content?.error ?? "",
      content?.detail ?? content?.message ?? `${answer.status} ${answer.statusText}`.trim(),
    );
  return content;
}

/**
 * Return the object that an answer has, or null where it has none.
 * @param {Response} answer
 */
async function readObject(answer) {
  try {
    const content = parseExactly(await answer.text());
    return content !== null && typeof content === "object" ? content : null;
  } catch {
    return null;
  }
}

/**
 * Tell the page that the API is lost, and return the error that says so.
 * @param {string} kind
 * @param {string} message
 */
function lost(kind, message) {
  dispatchEvent(new CustomEvent("reachable", { detail: false }));
  return new ApiError(0, kind, message);
}
