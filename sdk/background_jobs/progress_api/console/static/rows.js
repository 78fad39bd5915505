/** The rows of the list: an orchestration each, or a pipeline, whose stages open. */

import { Badge, CountsBar, TimeAgo, copyableId, icon, tagList } from "./components.js";
import { h, setText } from "./dom.js";
import { ago, between, count, percent, plural, span } from "./format.js";
import { statusOf } from "./search.js";

/** @param {string} id */
const address = (id) => `#/orchestrations/${id}`;

export class Row {
  /** @param {OrchestrationView} view the newest stage, where it is a pipeline */
  constructor(view) {
    this.badge = new Badge();
    this.bar = new CountsBar();
    this.started = new TimeAgo();
    this.link = h("a", { class: "row-link" });
    this.ids = h("span", { class: "row-id" });
    this.stage = h("span", { class: "tag", hidden: true });
    this.cancelled = h("span", { class: "tag", hidden: true }, "being cancelled");
    this.counts = h("span", { class: "row-counts" });
    this.errored = h("span", { class: "row-errored" });
    this.why = h("p", { class: "row-why", hidden: true });
    this.time = h("span", { class: "row-span muted" });
    this.stages = h("ol", { class: "row-stages", hidden: true });
    this.opener = h(
      "button",
      {
        type: "button",
        class: "quiet row-opener",
        hidden: true,
        "aria-expanded": "false",
        onclick: () => this.toggle(),
      },
      icon("right"),
      "Stages",
    );
    this.tags = tagList(view.tags);
    this.element = h("li", { class: "row" }, this.what(), ...this.how(), this.why, this.stages);
  }

  what() {
    return h(
      "div",
      { class: "row-what" },
      this.link,
      h("div", { class: "tags" }, this.ids, this.stage, this.cancelled, ...this.tags, this.opener),
    );
  }

  how() {
    return [
      h("div", { class: "row-status" }, this.badge.element),
      h(
        "div",
        { class: "row-progress" },
        this.bar.element,
        h("div", { class: "row-text" }, this.counts, this.errored),
      ),
      h("div", { class: "row-when" }, this.started.element, this.time),
    ];
  }

  /** @param {OrchestrationView[]} entry */
  show(entry) {
    const [view] = entry;
    if (this.id !== view.orchestration_id) this.showId(view);
    const { counts, total } = view;
    const [status, final] = [statusOf(view), counts.completed + counts.errored];
    const standing = entry.find(({ standstill }) => standstill);
    this.badge.show(standing ? "standstill" : status);
    this.bar.show(counts);
    this.cancelled.hidden = !(view.cancelled && view.completed_at === null);
    setText(
      this.counts,
      view.status === "InProgress"
        ? `${count(final)} of ${count(total)} · ${percent(final, total)} %`
        : plural(total, "instance"),
    );
    setText(this.errored, errors(entry));
    this.showTimes(entry, status);
    this.explain(standing ?? view);
    this.showStages(entry);
  }

  /** @param {OrchestrationView} view */
  showId(view) {
    this.id = view.orchestration_id;
    setText(this.link, view.job_name);
    this.link.setAttribute("href", address(this.id));
    this.ids.replaceChildren(copyableId(this.id));
  }

  /** @param {OrchestrationView} view */
  explain({ standstill, waits_for: waits }) {
    const text = standstill
      ? `Nothing has moved for ${span(Math.floor(between(standstill.since) / 60) * 60)}: ${standstill.why}`
      : waits
        ? `Waits for launch: ${waits}`
        : "";
    this.why.hidden = !text;
    setText(this.why, text);
  }

  /**
   * @param {OrchestrationView[]} entry
   * @param {string} status
   */
  showTimes(entry, status) {
    const [view, first] = [entry[0], entry[entry.length - 1]];
    if (first.started_at) this.started.show(first.started_at);
    setText(this.time, first.started_at === null ? "" : this.duration(view, first.started_at, status));
  }

  /**
   * @param {OrchestrationView} view
   * @param {string} began
   * @param {string} status
   */
  duration({ completed_at, eta_seconds, stages_left }, began, status) {
    if (status !== "InProgress") return `took ${span(between(began, completed_at))}`;
    return eta_seconds === null || stages_left
      ? `for ${span(between(began))}`
      : `${span(Math.round(eta_seconds))} to go`;
  }

  /** @param {OrchestrationView[]} entry */
  showStages(entry) {
    const [{ stage, stages_left, next_skipped: skipped }] = entry;
    const all = stage + stages_left;
    this.stage.hidden = all < 2;
    this.opener.hidden = all < 2;
    if (all < 2) return;
    setText(this.stage, skipped ? `stopped at stage ${stage} of ${all}` : `stage ${stage} of ${all}`);
    if (this.opener.getAttribute("aria-expanded") === "true")
      this.stages.replaceChildren(...[...entry].reverse().map(stageLine));
    this.entry = entry;
  }

  toggle() {
    const isOpen = this.opener.getAttribute("aria-expanded") === "true";
    this.opener.setAttribute("aria-expanded", String(!isOpen));
    this.stages.hidden = isOpen;
    if (this.entry) this.showStages(this.entry);
  }
}

/**
 * How many instances errored: of the newest stage, or else of the one before it that makes the pipeline red.
 * @param {OrchestrationView[]} entry
 */
function errors(entry) {
  const of = entry.find(({ counts }) => counts.errored);
  if (!of) return "";
  return `${count(of.counts.errored)} errored${of === entry[0] ? "" : ` in stage ${of.stage}`}`;
}

/** @param {OrchestrationView} view */
function stageLine(view) {
  const badge = new Badge();
  badge.show(view.standstill ? "standstill" : view.status);
  const { completed, errored } = view.counts;
  return h(
    "li",
    {},
    h("a", { href: address(view.orchestration_id) }, `${view.stage}. ${view.job_name}`),
    badge.element,
    h("span", { class: "muted" }, `${count(completed + errored)} of ${count(view.total)}`),
    h("span", { class: "muted" }, view.started_at ? ago(view.started_at) : ""),
  );
}
