/** The components that several views share. */

import { ApiError } from "./api.js";
import { h, setText, svg } from "./dom.js";
import { ago, count, json, moment } from "./format.js";
import { signInNotice } from "./sign_in.js";

const SHORT = 8; // characters of an id

/** @type {Record<string, string>} */
const ICONS = {
  check: "M3 8.5l3.2 3.2L13 5",
  copy: "M5.5 5.5V3h7.5v7.5h-2.5M3 5.5h7.5V13H3z",
  cross: "M4 4l8 8M12 4l-8 8",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  dots: "M8 2.5v11M2.5 8h11",
  left: "M10 3L5 8l5 5",
  right: "M6 3l5 5-5 5",
  rerun: "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
  stop: "M4 4h8v8H4z",
  auto: "M8 2.5a5.5 5.5 0 1 0 0 11zM8 2.5a5.5 5.5 0 0 1 0 11",
  light:
    "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6zM8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  dark: "M13 9.7A5.6 5.6 0 0 1 6.3 3a5.6 5.6 0 1 0 6.7 6.7z",
};

/** @param {string} name */
export const icon = (name) =>
  svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));

/**
 * A button that copies *text()*, and shows that it did.
 * @param {() => string} text
 * @param {string} what
 */
export function copyButton(text, what) {
  const button = h(
    "button",
    {
      type: "button",
      class: "quiet small",
      "aria-label": `Copy ${what}`,
      title: `Copy ${what}`,
      hidden: !navigator.clipboard, // only local and https pages have a clipboard
      onclick: async () => {
        await navigator.clipboard.writeText(text());
        button.replaceChildren(icon("check"));
        setTimeout(() => button.replaceChildren(icon("copy")), 1_500);
      },
    },
    icon("copy"),
  );
  return button;
}

/**
 * The short id of an orchestration, which copies the whole of it.
 * @param {string} id
 */
export function copyableId(id) {
  const text = h("code", {}, id.slice(0, SHORT));
  if (!navigator.clipboard) return h("span", { class: "muted", title: id }, text);
  return h(
    "button",
    {
      type: "button",
      class: "quiet copy-id",
      title: `Copy ${id}`,
      "aria-label": `Copy id ${id.slice(0, SHORT)}`,
      onclick: async () => {
        await navigator.clipboard.writeText(id);
        setText(text, "copied  ");
        setTimeout(() => setText(text, id.slice(0, SHORT)), 1_500);
      },
    },
    text,
  );
}

/** Whether what is shown is how things stand. */
export class Connection {
  constructor() {
    this.element = h("span", { class: "connection", role: "status" });
  }

  /** @param {StreamState} state */
  show(state) {
    this.element.dataset.state = state;
    setText(this.element, CONNECTION[state]);
  }
}

/** @type {Record<StreamState, string>} */
const CONNECTION = { connecting: "Connecting", live: "Live", lost: "Lost, coming back", ended: "Ended" };

/** An orchestration's status as a word and a sign. */
export class Badge {
  constructor() {
    this.sign = h("span", { class: "sign", "aria-hidden": "true" });
    this.word = h("span");
    this.element = h("span", { class: "badge" }, this.sign, this.word);
  }

  /** @param {string} status */
  show(status) {
    if (this.element.dataset.status === status) return;
    this.element.dataset.status = status;
    this.sign.replaceChildren(...(SIGNS[status] ? [icon(SIGNS[status])] : []));
    setText(this.word, WORDS[status] ?? status);
  }
}

/** @type {Record<string, string>} */
const SIGNS = { Completed: "check", Errored: "cross", Cancelled: "stop", standstill: "pause" };
/** @type {Record<string, string>} */
const WORDS = { InProgress: "In progress", standstill: "Stands still" };

/** @type {(keyof Counts)[]} */
const PARTS = ["completed", "errored", "running", "waiting"];

/** The number of instances in each state, as a stacked bar. */
export class CountsBar {
  constructor() {
    this.parts = PARTS.map((name) => h("span", { class: `part ${name}` }));
    this.element = h("div", { class: "bar", role: "img" }, this.parts);
  }

  /** @param {Counts} counts */
  show(counts) {
    PARTS.forEach((name, place) => {
      this.parts[place].style.flexGrow = String(counts[name]);
      this.parts[place].hidden = !counts[name];
    });
    const words = PARTS.filter((name) => counts[name]).map((name) => `${count(counts[name])} ${name}`);
    this.element.setAttribute("aria-label", words.join(", ") || "no instances");
  }
}

/** How long ago a moment is; `tick` brings it up to date. */
export class TimeAgo {
  /** @param {string} before */
  constructor(before = "") {
    this.before = before;
    this.element = h("time");
  }

  /** @param {string} iso ISO 8601 */
  show(iso) {
    this.iso = iso;
    this.element.setAttribute("datetime", iso);
    this.element.title = moment(iso);
    this.tick();
  }

  tick() {
    if (this.iso) setText(this.element, this.before + ago(this.iso));
  }
}

/**
 * Tags as `name: value`; a customer's leads to that customer's orchestrations.
 * @param {Record<string, string>} tags
 */
export function tagList(tags) {
  return Object.entries(tags).map(([name, value]) => {
    const content = [h("span", { class: "tag-name" }, name), h("span", {}, value)];
    return name === "customer"
      ? h(
          "a",
          { class: "tag", href: `#/?customer=${encodeURIComponent(value)}`, title: "All of this customer" },
          content,
        )
      : h("span", { class: "tag" }, content);
  });
}

/**
 * A block of JSON, or of a traceback; it can be focused, because it may scroll.
 * @param {unknown} value
 * @param {string} label
 */
export function codeBlock(value, label) {
  const text = typeof value === "string" ? value : json(value);
  return h(
    "div",
    { class: "listing" },
    h("pre", { tabindex: 0, role: "region", "aria-label": label }, text),
    copyButton(
      () => (typeof value === "string" ? value : JSON.stringify(value, null, 2)),
      label.toLowerCase(),
    ),
  );
}

/**
 * A notice that something was refused; if the API is locked, it says what the API needs.
 * @param {unknown} error
 * @param {(() => void) | null} [retry]
 */
export function errorNotice(error, retry) {
  const refusal = error instanceof ApiError ? error : null;
  if (refusal?.isSignedOut) return signInNotice();
  if (refusal?.isLocked) return lockedNotice(refusal);
  return h(
    "div",
    { class: "card notice", role: "alert" },
    h("h2", {}, refusal?.status === 404 ? "Not here" : "That did not work"),
    h("p", {}, error instanceof Error ? error.message : String(error)),
    retry ? h("button", { type: "button", onclick: retry }, "Try again") : null,
  );
}

/** @param {ApiError} error */
function lockedNotice(error) {
  return h(
    "div",
    { class: "card notice", role: "alert" },
    h("h2", {}, "The API wants to know who asks"),
    h(
      "p",
      {},
      `It answered ${error.status}. On AWS every request must be signed (IAM) or carry a token of the user `,
      "pool, and a browser does neither by itself. To look at an environment on AWS, serve this page on your own ",
      "machine, with your own AWS credentials and the settings of that environment (the outputs of its stack) in ",
      "variables:",
    ),
    codeBlock("python -m background_jobs.progress_api 8080", "Command"),
    h(
      "p",
      {},
      "Then open http://127.0.0.1:8080/. What you may do there is what your credentials allow: to watch, read ",
      "the event log, the read model and the payload bucket; to cancel and rerun, also append to the log and ",
      "write payloads.",
    ),
    h(
      "p",
      {},
      "Or put a proxy before the API that signs you in, and adds the signature or the token to each request, ",
      "those of the event stream included.",
    ),
  );
}
