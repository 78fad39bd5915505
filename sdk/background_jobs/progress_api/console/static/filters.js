/** The filters of the list; they are in the address, so that a filtered list can be linked. */

import { setChildren, h } from "./dom.js";
import { now } from "./clock.js";
import { toApiStatus } from "./search.js";

const RANGES = {
  "": "Any time",
  "1h": "Last hour",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  custom: "From … to …",
};
const HOURS = new Map([
  ["1h", 1],
  ["24h", 24],
  ["7d", 7 * 24],
  ["30d", 30 * 24],
]);
const STATUSES = {
  "": "Any status",
  InProgress: "In progress",
  standstill: "Standing still",
  waits: "Waiting for launch",
  Completed: "Completed",
  Errored: "Errored",
  Cancelled: "Cancelled",
};
const REMEMBERED = "list";

export class Filters {
  /**
   * *onChange* is called with the filters as URLSearchParams, and whether somebody is typing a search.
   * @param {(query: URLSearchParams, isTyping: boolean) => void} onChange
   */
  constructor(onChange) {
    this.onChange = onChange;
    this.search = h("input", {
      type: "search",
      name: "search",
      placeholder: "Part of an id, a name or any tag",
      autocomplete: "off",
      maxlength: 256,
      oninput: () => this.onChange(this.read(), true),
    });
    this.names = h("datalist", { id: "job-names" });
    this.clear = h(
      "button",
      { type: "button", class: "quiet clear", onclick: () => this.onChange(new URLSearchParams(), false) },
      "Clear",
    );
    this.element = h(
      "form",
      {
        class: "filters",
        role: "search",
        "aria-label": "Filter orchestrations",
        onsubmit: (event) => this.submit(event),
        onchange: (event) => event.target !== this.search && this.submit(event),
      },
      field("Search", this.search, "search"),
      field(
        "Job name",
        h("input", {
          name: "job_name",
          list: "job-names",
          placeholder: "Any job",
          autocomplete: "off",
          maxlength: 80,
        }),
      ),
      field("Status", options("status", STATUSES)),
      field(
        "Customer",
        h("input", { name: "customer", placeholder: "Any customer", autocomplete: "off", maxlength: 256 }),
      ),
      field("Started", options("range", RANGES)),
      field("From", h("input", { name: "since", type: "datetime-local" }), "moment"),
      field("To", h("input", { name: "until", type: "datetime-local" }), "moment"),
      this.clear,
      this.names,
    );
  }

  /**
   * Show the filters of an address.
   * @param {URLSearchParams} query
   */
  show(query) {
    for (const input of this.inputs()) {
      const value = query.get(input.name) ?? "";
      // What somebody types may end with a space, which the address does not have.
      if (input.name && input.value.trim() !== value) input.value = value;
    }
    this.element.classList.toggle("custom", query.get("range") === "custom");
    this.clear.hidden = !query.size;
  }

  /** @returns {(HTMLInputElement | HTMLSelectElement | HTMLButtonElement)[]} */
  inputs() {
    return Array.from(this.element.querySelectorAll("input, select, button"));
  }

  /**
   * Offer these job names.
   * @param {string[]} names
   */
  offer(names) {
    const known = new Set(Array.from(this.names.options, ({ value }) => value));
    if (names.some((name) => !known.has(name))) {
      setChildren(
        this.names,
        [...new Set([...known, ...names])].sort().map((value) => h("option", { value })),
      );
    }
  }

  /** @param {Event} event */
  submit(event) {
    event.preventDefault();
    this.onChange(this.read(), false);
  }

  read() {
    const query = new URLSearchParams();
    const data = new FormData(this.element);
    for (const [name, value] of data) {
      const isHidden = (name === "since" || name === "until") && data.get("range") !== "custom";
      const text = String(value).trim();
      if (text && !isHidden) query.set(name, text);
    }
    return query;
  }
}

/**
 * Remember the list that an address shows, for the way back from an orchestration.
 * @param {URLSearchParams} query
 */
export const rememberList = (query) => sessionStorage.setItem(REMEMBERED, query.toString());

/** Return the address of the list that was shown last. */
export const lastList = () => `#/?${sessionStorage.getItem(REMEMBERED) ?? ""}`.replace(/\?$/, "");

/**
 * Return the query of the API for the filters of an address, as of *at* (milliseconds).
 * @param {URLSearchParams} query
 */
export function toApiQuery(query, at = now()) {
  const [range, hours] = [query.get("range"), HOURS.get(query.get("range") ?? "")];
  return {
    job_name: query.get("job_name"),
    status: toApiStatus(query.get("status")),
    customer: query.get("customer"),
    since:
      range === "custom"
        ? utc(query.get("since"))
        : hours
          ? new Date(at - hours * 3_600_000).toISOString()
          : null,
    until: range === "custom" ? utc(query.get("until")) : null,
  };
}

/** @param {string | null} local */
function utc(local) {
  const moment = new Date(local ?? "");
  return Number.isNaN(moment.getTime()) ? null : moment.toISOString();
}

/**
 * @param {string} name
 * @param {HTMLElement} input
 * @param {string} [kind]
 */
function field(name, input, kind = "") {
  return h("label", { class: `field ${kind}` }, h("span", {}, name), input);
}

/**
 * @param {string} name
 * @param {Record<string, string>} choices
 */
const options = (name, choices) =>
  h(
    "select",
    { name },
    Object.entries(choices).map(([value, label]) => h("option", { value }, label)),
  );
