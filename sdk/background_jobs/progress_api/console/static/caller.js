/** Who looks at this page, and what they may do. */

import { get } from "./api.js";
import { h } from "./dom.js";

/** @type {Promise<CallerView> | null} */
let asked = null;

/** Return the caller; asked once, unless that failed. */
export function getCaller() {
  asked ??= get("caller").catch((error) => {
    asked = null;
    throw error;
  });
  return /** @type {Promise<CallerView>} */ (asked);
}

/**
 * @param {CallerView} caller
 * @param {string | null} [service] null where it could be any
 */
export function mayChange(caller, service = null) {
  if (caller.writable === null) return true;
  return service === null ? caller.writable.length > 0 : caller.writable.includes(service);
}

/**
 * Say why there are no buttons.
 * @param {string} what
 */
export const readOnlyNote = (what) =>
  h("p", { class: "muted read-only" }, `You may look, and not ${what}: your sign-in only reads here.`);
