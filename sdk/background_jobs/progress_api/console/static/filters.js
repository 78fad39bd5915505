/** The filters of the list; they are in the address, so that a filtered list can be linked. */

import { setChildren, h } from "./dom.js";
import { now } from "./clock.js";

const RANGES = {
  "": "Any time",
  "1h": "Last hour",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  custom: "From … to …",
};
/** @type {Record<string, number>} */
const HOURS = { "1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24 };
const STATUSES = { "": "Any status", InProgress: "In progress", Completed: "Completed", Errored: "Errored" };

export class Filters {
  /**
   * *onChange* is called with the filters as URLSearchParams.
   * @param {(query: URLSearchParams) => void} onChange
   */
  constructor(onChange) {
    this.onChange = onChange;
    this.names = h("datalist", { id: "job-names" });
    this.clear = h(
      "button",
      { type: "button", class: "quiet clear", onclick: () => this.onChange(new URLSearchParams()) },
      "Clear",
    );
    this.element = h(
      "form",
      {
        class: "filters",
        role: "search",
        "aria-label": "Filter orchestrations",
        onsubmit: (event) => this.submit(event),
        onchange: (event) => this.submit(event),
      },
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
      if (input.name) input.value = query.get(input.name) ?? "";
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
    const query = new URLSearchParams();
    const data = new FormData(this.element);
    for (const [name, value] of data) {
      const isHidden = (name === "since" || name === "until") && data.get("range") !== "custom";
      const text = String(value).trim();
      if (text && !isHidden) query.set(name, text);
    }
    this.onChange(query);
  }
}

/**
 * Return the query of the API for the filters of an address, as of now.
 * @param {URLSearchParams} query
 */
export function toApiQuery(query) {
  const [range, hours] = [query.get("range"), HOURS[query.get("range") ?? ""]];
  return {
    job_name: query.get("job_name"),
    status: query.get("status"),
    customer: query.get("customer"),
    since:
      range === "custom"
        ? utc(query.get("since"))
        : hours
          ? new Date(now() - hours * 3_600_000).toISOString()
          : null,
    until: range === "custom" ? utc(query.get("until")) : null,
    next_token: query.get("page"),
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
