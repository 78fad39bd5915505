/** The head of an orchestration's page: its job, progress, rate, and the actions on it. */

import { cancel } from "./actions.js";
import { path } from "./api.js";
import { swatch } from "./cells.js";
import { h, setText } from "./dom.js";
import { between, count, percent, rate, span, stamp } from "./format.js";
import { STATES } from "./instances.js";
import { now } from "./clock.js";
import { Badge, Connection, CountsBar, copyButton, icon, TimeAgo, tagList } from "./components.js";
import { showLineage } from "./pipeline_and_waits.js";
import { rerun } from "./rerun.js";

const SHORTEST = 0.5; // seconds: outcomes are written up to 0.2 seconds late

/** @typedef {ReturnType<typeof tile>} Tile */
export class Overview {
  /** @type {OrchestrationView} */
  view;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.title = h("h1", { tabindex: -1 }, "Orchestration");
    this.badge = new Badge();
    this.cancelled = h("span", { class: "tag", hidden: true }, "being cancelled");
    this.connection = new Connection();
    this.standing = h("p", { class: "standing", hidden: true });
    this.started = new TimeAgo("started ");
    this.lineage = h("span", { hidden: true });
    this.people = h("span", { hidden: true });
    this.service = h("span");
    this.tags = h("span", { class: "tags" });
    this.bar = new CountsBar();
    /** @type {Record<string, Tile>} */
    this.tiles = Object.fromEntries(
      ["Done", "Rate", "Remaining", "Elapsed"].map((name) => [name, tile(name)]),
    );
    this.legend = Object.fromEntries(
      Object.entries(STATES).map(([letter, name]) => [letter, legendEntry(letter, name)]),
    );
    this.buttons = {
      cancel: h(
        "button",
        { type: "button", class: "operators-only", hidden: true, onclick: () => this.cancel() },
        icon("stop"),
        "Cancel",
      ),
      failed: h(
        "button",
        {
          type: "button",
          class: "operators-only",
          hidden: true,
          onclick: () => rerun(id, { only: "failed" }),
        },
        icon("rerun"),
        "Rerun failed",
      ),
      all: h(
        "button",
        { type: "button", class: "operators-only", hidden: true, onclick: () => rerun(id, { only: "all" }) },
        icon("rerun"),
        "Rerun all",
      ),
    };
    this.note = h("p", { class: "note", role: "status" });
    this.element = h(
      "section",
      { class: "overview" },
      this.head(),
      this.facts(),
      this.note,
      this.standing,
      this.progress(),
    );
  }

  head() {
    return h(
      "div",
      { class: "overview-head" },
      h(
        "div",
        { class: "overview-title" },
        this.title,
        this.badge.element,
        this.cancelled,
        this.connection.element,
      ),
      h(
        "div",
        { class: "buttons" },
        h(
          "a",
          { class: "button", href: `${path(this.id)}/report`, download: `report-${this.id}.html` },
          "Report",
        ),
        Object.values(this.buttons),
      ),
    );
  }

  facts() {
    return h(
      "div",
      { class: "overview-facts muted" },
      h(
        "span",
        { class: "with-copy" },
        h("code", {}, this.id),
        copyButton(() => this.id, "the orchestration's id"),
      ),
      this.started.element,
      this.people,
      this.service,
      this.lineage,
      this.tags,
    );
  }

  progress() {
    return h(
      "div",
      { class: "card" },
      h(
        "div",
        { class: "tiles" },
        Object.values(this.tiles).map(({ element }) => element),
      ),
      this.bar.element,
    );
  }

  /** The legend of the grid, with the number of instances in each state. */
  get legendElement() {
    return h(
      "ul",
      { class: "legend" },
      Object.values(this.legend).map(({ element }) => element),
    );
  }

  /** @param {StreamState} state */
  connect(state) {
    this.connection.show(state);
  }

  /**
   * Show the orchestration as a whole.
   * @param {OrchestrationView} view
   */
  show(view) {
    this.view = view;
    setText(this.title, view.job_name);
    this.showStandstill(view.standstill);
    if (view.started_at) this.started.show(view.started_at);
    this.people.hidden = !view.started_by && !view.cancelled_by;
    setText(this.people, tellPeople(view));
    setText(this.service, `service ${view.service}`);
    this.tags.replaceChildren(...tagList(view.tags));
    showLineage(this.lineage, view);
    const isDone = view.status !== "InProgress";
    this.buttons.cancel.hidden = isDone;
    this.cancelled.hidden = true;
    if (view.cancelled) this.showCancelled();
    this.buttons.failed.hidden = !isDone || !view.counts.errored;
    this.buttons.all.hidden = !isDone || !view.total;
    this.count(view.counts, view.eta_seconds);
  }

  /** Show that it was cancelled; instances that run may take a while to end. */
  showCancelled() {
    this.cancelled.hidden = this.view.status !== "InProgress";
    this.buttons.cancel.disabled = true;
  }

  /**
   * Show since when nothing has moved, and why; null while something does.
   * @param {Standstill | null} standstill
   */
  showStandstill(standstill) {
    this.view = { ...this.view, standstill };
    this.badge.show(standstill ? "standstill" : this.view.status);
    this.standing.hidden = standstill === null;
    this.tickStandstill();
  }

  tickStandstill() {
    const { standstill } = this.view;
    if (!standstill) return;
    const minutes = Math.floor(between(standstill.since) / 60);
    setText(
      this.standing,
      `Nothing has moved for ${span(minutes * 60)}, since ${stamp(standstill.since, 1)}: ${standstill.why}.`,
    );
  }

  /**
   * Show the counts of instances, and the remaining time.
   * @param {Counts} counts
   * @param {number | null} etaSeconds
   */
  count(counts, etaSeconds) {
    this.view = { ...this.view, counts };
    this.eta = etaSeconds === null ? null : { seconds: etaSeconds, at: now() };
    this.bar.show(counts);
    const final = counts.completed + counts.errored;
    setText(this.tiles.Done.value, `${percent(final, this.view.total)} %`);
    setText(this.tiles.Done.note, `${count(final)} of ${count(this.view.total)}`);
    document.title = `${percent(final, this.view.total)} % ${this.view.job_name} · Background jobs`;
  }

  /**
   * Show the number of instances in each state.
   * @param {Record<string, number>} counts
   */
  countStates(counts) {
    for (const [letter, { value }] of Object.entries(this.legend)) setText(value, count(counts[letter]));
  }

  /**
   * Show what changes with time; *perSecond* is the current rate, null where there is none.
   * @param {number | null} perSecond
   */
  tick(perSecond) {
    const { view, tiles } = this;
    if (!view?.started_at) return;
    const isDone = view.completed_at !== null;
    this.started.tick();
    this.tickStandstill();
    setText(tiles.Elapsed.name, isDone ? "Took" : "Elapsed");
    setText(tiles.Elapsed.value, span(between(view.started_at, view.completed_at)));
    setText(tiles.Rate.name, isDone ? "Mean rate" : "Rate");
    const pace = isDone ? this.meanRate() : view.standstill ? 0 : perSecond;
    setText(tiles.Rate.value, pace === null ? "–" : rate(pace));
    const left =
      this.eta && !view.standstill ? Math.max(0, this.eta.seconds - (now() - this.eta.at) / 1_000) : null;
    tiles.Remaining.element.hidden = isDone;
    setText(
      tiles.Remaining.value,
      view.standstill
        ? "–"
        : left === null
          ? "not known yet"
          : left < 1
            ? "any moment"
            : span(Math.round(left)),
    );
  }

  /** Return outcomes a second; null where there were too few for a rate. */
  meanRate() {
    const { first_job_at: from, last_outcome_at: to, total } = this.view;
    const seconds = from && to ? between(from, to) : 0;
    return total > 1 && seconds >= SHORTEST ? total / seconds : null;
  }

  cancel() {
    const { counts, total } = this.view;
    cancel(this.id, total - counts.completed - counts.errored, (answer) => {
      if (answer !== "already done") this.showCancelled();
      setText(
        this.note,
        answer === "already done"
          ? "It had ended already."
          : "Cancelled. What runs is being stopped, and the rest is Errored as Cancelled.",
      );
    });
  }
}

/** @param {string} name */
function tile(name) {
  const [label, value, note] = [
    h("span", { class: "tile-name" }, name),
    h("span", { class: "tile-value" }, "–"),
    h("span", { class: "tile-note" }),
  ];
  return { name: label, value, note, element: h("div", { class: "tile" }, label, value, note) };
}

/**
 * @param {string} letter
 * @param {string} name
 */
function legendEntry(letter, name) {
  const value = h("span", { class: "legend-count" }, "0");
  return { value, element: h("li", {}, swatch(letter), h("span", {}, name), value) };
}

/**
 * Who kicked it off, and who cancelled it, as far as that is known.
 * @param {OrchestrationView} view
 */
function tellPeople(view) {
  const started = view.started_by ? `started by ${view.started_by}` : "";
  const cancelled = view.cancelled_by ? `cancelled by ${view.cancelled_by}` : "";
  return [started, cancelled].filter(Boolean).join(", ");
}
