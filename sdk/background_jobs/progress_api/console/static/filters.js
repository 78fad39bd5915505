/** The filters of the list; they live in the address, so that a filtered list can be linked. */

import { arrange, h } from "./dom.js";
import { now } from "./now.js";

const RANGES = {
  "": "Any time",
  "1h": "Last hour",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
  custom: "From … to …",
};
const HOURS = { "1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24 };
const STATUSES = { "": "Any status", InProgress: "In progress", Completed: "Completed", Errored: "Errored" };

export class Filters {
  /** *changed* is called with the filters as URLSearchParams. */
  constructor(changed) {
    this.changed = changed;
    this.names = h("datalist", { id: "job-names" });
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
      h(
        "button",
        { type: "button", class: "quiet clear", onclick: () => this.changed(new URLSearchParams()) },
        "Clear",
      ),
      this.names,
    );
  }

  /** Show the filters of an address. */
  show(query) {
    for (const input of this.element.elements) {
      if (input.name) input.value = query.get(input.name) ?? "";
    }
    this.element.classList.toggle("custom", query.get("range") === "custom");
    this.element.querySelector(".clear").hidden = !query.size;
  }

  /** Offer these job names. */
  offer(names) {
    const known = new Set(Array.from(this.names.children, ({ value }) => value));
    if (names.some((name) => !known.has(name))) {
      arrange(
        this.names,
        [...new Set([...known, ...names])].sort().map((value) => h("option", { value })),
      );
    }
  }

  submit(event) {
    event.preventDefault();
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(this.element)) {
      const isHidden =
        (name === "since" || name === "until") && this.element.elements.range.value !== "custom";
      if (value.trim() && !isHidden) query.set(name, value.trim());
    }
    this.changed(query);
  }
}

/** Return the query of the API for the filters of an address, as of now. */
export function asked(query) {
  const [range, hours] = [query.get("range"), HOURS[query.get("range")]];
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

function utc(local) {
  const moment = new Date(local ?? "");
  return Number.isNaN(moment.getTime()) ? null : moment.toISOString();
}

function field(name, input, kind = "") {
  return h("label", { class: `field ${kind}` }, h("span", {}, name), input);
}

const options = (name, choices) =>
  h(
    "select",
    { name },
    Object.entries(choices).map(([value, said]) => h("option", { value }, said)),
  );
