/** What an orchestration has cost so far: an estimate, by service. */

import { get, path } from "./api.js";
import { h, setText } from "./dom.js";

const PAUSE = 15_000;

export class Cost {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.summary = h("p", {}, "…");
    this.body = h("tbody");
    const head = ["Service", "Usage", "US dollars"].map((name) => h("th", { scope: "col" }, name));
    this.lines = h(
      "details",
      { class: "cost-lines", hidden: true },
      h("summary", {}, "By service"),
      h("table", {}, h("thead", {}, h("tr", {}, head)), this.body),
    );
    this.element = h("div", { class: "cost" }, this.summary, this.lines);
  }

  close() {
    clearTimeout(this.later);
    this.closed = true;
  }

  /**
   * Load the cost, and again now and then until *view* has ended.
   * @param {OrchestrationView} view
   */
  show(view) {
    this.goesOn = view.completed_at === null;
    this.load();
  }

  async load() {
    clearTimeout(this.later);
    try {
      this.showCost(await get(`${path(this.id)}/cost`));
    } catch (error) {
      setText(this.summary, error instanceof Error ? error.message : String(error));
    }
    if (this.goesOn && !this.closed) this.later = setTimeout(() => this.load(), PAUSE);
  }

  /** @param {CostView} cost */
  showCost({ summary, lines }) {
    setText(this.summary, `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`);
    this.lines.hidden = false;
    this.body.replaceChildren(
      ...lines.map(({ service, usage, dollars }) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, service),
          h("td", {}, usage),
          h("td", {}, `$${dollars.toFixed(4)}`),
        ),
      ),
    );
  }
}
