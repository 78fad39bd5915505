/** A rerun beside the orchestration that it runs again: counts, durations, and causes that are new or gone. */

import { get, path } from "./api.js";
import { count, plural, span } from "./format.js";
import { h } from "./dom.js";

const MOST = 20;

export class Comparison {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.content = h("div", { class: "comparison", role: "status" });
    this.element = h(
      "details",
      { class: "card", hidden: true, ontoggle: () => this.load() },
      h("summary", {}, "Compare with the original"),
      this.content,
    );
  }

  /** @param {OrchestrationView} view */
  show(view) {
    this.element.hidden = !view.rerun_only;
    // What is shown is as of when it was opened, so the end of the rerun brings it up to date.
    if (view.completed_at !== null) this.load();
  }

  async load() {
    if (!this.element.open) return;
    try {
      this.content.replaceChildren(...sections(await get(`${path(this.id)}/comparison`)));
    } catch (error) {
      this.content.replaceChildren(h("p", {}, error instanceof Error ? error.message : String(error)));
    }
  }
}

/** @param {ComparisonView} comparison */
function sections({ before, after, gone, new: fresh, same, more_causes: more }) {
  const head = ["Orchestration", "Instances", "Completed", "Errored", "Took"];
  return [
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h("tbody", {}, figures("The original", before), figures("This rerun", after)),
    ),
    ...causes("Gone", gone),
    ...causes("New", fresh),
    ...causes("Still there", same),
    ...(more ? [h("p", { class: "muted" }, `${plural(more, "cause")} more were not compared.`)] : []),
  ];
}

/**
 * @param {string} name
 * @param {RunFigures} run
 */
function figures(name, { orchestration_id: id, total, counts, seconds, completed_at: ended }) {
  const took = seconds === null ? "" : `${span(seconds)}${ended ? "" : " so far"}`;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, h("a", { href: `#/${path(id)}` }, name)),
    [total, counts.completed, counts.errored].map((number) => h("td", {}, count(number))),
    h("td", {}, took),
  );
}

/**
 * @param {string} name
 * @param {CauseChange[]} changes
 */
function causes(name, changes) {
  if (!changes.length) return [];
  const lines = changes
    .slice(0, MOST)
    .map(({ type, message, before, after }) =>
      h(
        "li",
        {},
        h("span", { class: "cause-type" }, type),
        ` ${message} `,
        h("span", { class: "muted" }, `(${count(before)} before, ${count(after)} now)`),
      ),
    );
  if (changes.length > MOST) lines.push(h("li", { class: "muted" }, `${count(changes.length - MOST)} more`));
  return [h("h3", {}, `${name}: ${plural(changes.length, "cause")}`), h("ul", { class: "changes" }, lines)];
}
