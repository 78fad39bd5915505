/** What needs a look, counted over all orchestrations; each count leads to those that it counts. */

import { get } from "./api.js";
import { h, setText } from "./dom.js";
import { count } from "./format.js";

/** @type {{ key: keyof OrchestrationCounts, label: string, query: string, state: string }[]} */
const PARTS = [
  { key: "in_progress", label: "In progress", query: "status=InProgress", state: "running" },
  { key: "standing_still", label: "Stand still", query: "status=standstill", state: "standstill" },
  { key: "waiting_for_launch", label: "Wait for launch", query: "status=waits", state: "delayed" },
  { key: "errored", label: "Errored in 24 h", query: "status=Errored&range=24h", state: "errored" },
];

export class Strip {
  constructor() {
    this.parts = PARTS.map((part) => {
      const value = h("span", { class: "strip-count" }, "–");
      const link = h(
        "a",
        { class: `strip-part ${part.state}`, href: `#/?${part.query}` },
        value,
        h("span", { class: "strip-name" }, part.label),
      );
      return { ...part, value, link };
    });
    this.element = h(
      "nav",
      { class: "strip", "aria-label": "What needs a look" },
      this.parts.map(({ link }) => link),
    );
  }

  /**
   * Mark the part whose filters are those of the address; chosen again, it clears them.
   * @param {URLSearchParams} query
   */
  mark(query) {
    for (const { query: own, link } of this.parts) {
      const isChosen = query.toString() === own;
      link.setAttribute("href", isChosen ? "#/" : `#/?${own}`);
      if (isChosen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  async load() {
    const counts = /** @type {OrchestrationCounts} */ (await get("orchestrations/counts"));
    for (const { key, value, link } of this.parts) {
      const number = Number(counts[key]);
      setText(value, count(number) + (counts.truncated && number >= 1_000 ? "+" : ""));
      link.classList.toggle("none", number === 0);
    }
  }
}
