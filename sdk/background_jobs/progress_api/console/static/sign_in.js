/** People who sign in: who is there, the way in, and the way out. */

import { post } from "./api.js";
import { getCaller, mayChange } from "./caller.js";
import { byId, h } from "./dom.js";

/** @type {Record<string, string>} */
const REASONS = {
  attempt: "That took longer than ten minutes, or began in another browser.",
  denied: "Where you signed in, they did not confirm who you are.",
  group:
    "You are known, but you are in no group that may look at this environment. Ask those who run it to add you " +
    "to one, and sign in again.",
  provider: "Where people sign in, nobody answers. Try again in a moment.",
};

/** Show above the page who is signed in, and hide from readers what they may not do. */
export async function showPerson() {
  const caller = await getCaller().catch(() => null);
  if (caller === null) return;
  document.documentElement.dataset.access = mayChange(caller) ? "change" : "read";
  if (!caller.signs_in) return;
  byId("person").replaceChildren(
    h("span", { class: "person-name", title: caller.name }, caller.name),
    mayChange(caller) ? "" : h("span", { class: "tag" }, "Read only"),
    h("button", { type: "button", class: "quiet", onclick: leave }, "Sign out"),
  );
}

/** Sign out here, and then where one signed in. */
async function leave() {
  const { continue_at } = await post("sign-out", {});
  location.assign(continue_at ?? new URL("console", document.baseURI));
}

/** A notice that leads to where one signs in, and from there back to this place. */
export function signInNotice() {
  return h(
    "div",
    { class: "card notice", role: "alert" },
    h("h1", { tabindex: -1 }, "Sign in to go on"),
    h("p", {}, "You are not signed in, or your session has ended. Afterwards you are back here."),
    signInLink(location.hash.slice(1) || "/"),
  );
}

/**
 * A page that says why somebody was not signed in; *why* is the word of the API.
 * @param {string} why
 */
export function refusedPage(why) {
  return h(
    "div",
    { class: "card notice", role: "alert" },
    h("h1", { tabindex: -1 }, "You are not signed in"),
    h("p", {}, REASONS[why] ?? "Sign in to look at this environment."),
    signInLink("/"),
  );
}

/** @param {string} place */
function signInLink(place) {
  const href = `sign-in?place=${encodeURIComponent(place)}`;
  return h("p", {}, h("a", { class: "button primary", href }, "Sign in"));
}
