/** The page of one orchestration: it wires the stream to overview, grid, chart and failures. */

import { get, path } from "./api.js";
import { Chart } from "./chart.js";
import { Comparison } from "./comparison.js";
import { Containers } from "./containers.js";
import { Cost } from "./cost.js";
import { h } from "./dom.js";
import { Failures } from "./failures.js";
import { Grid } from "./grid.js";
import { InstancePanel } from "./instance.js";
import { Instances } from "./instances.js";
import { lastList } from "./filters.js";
import { now, stopClock } from "./clock.js";
import { Overview } from "./overview.js";
import { errorNotice } from "./components.js";
import { LogView, logCard } from "./logs.js";
import { Stream } from "./stream.js";
import { PipelineAndWaits } from "./pipeline_and_waits.js";
import { Throughput } from "./throughput.js";

const TICK = 1_000;

export class OrchestrationPage {
  /** @type {OrchestrationView} */
  view;
  /** @type {Throughput | null | undefined} */
  throughput;

  /**
   * @param {HTMLElement} root
   * @param {{ id: string, index: number | null }} place
   */
  constructor(root, { id, index }) {
    this.root = root;
    this.id = id;
    this.index = index;
    this.instances = new Instances();
    /** @type {[TransitionView[], number][]} */
    this.pendingTransitions = []; // transitions that came before the throughput
    this.overview = new Overview(id);
    this.pipelineAndWaits = new PipelineAndWaits(id, (view) => this.overview.showStandstill(view.standstill));
    this.grid = new Grid(id, (chosen) => this.choose(chosen));
    this.chart = new Chart();
    this.failures = new Failures(id);
    this.comparison = new Comparison(id);
    this.containers = new Containers(id);
    this.cost = new Cost(id);
    this.log = new LogView(`${path(id)}/logs`, {
      isOver: () => this.view?.completed_at !== null,
      command: `background-jobs logs ${id}`,
      linkTo: (instance) => `#/${path(id)}/instances/${instance}`,
    });
    this.causes = h(
      "section",
      { class: "card", id: "causes" },
      h("div", { class: "card-head" }, h("h2", { tabindex: -1 }, "Failures by cause")),
      this.failures.element,
    );
    this.panel = new InstancePanel(id, () => this.leaveInstance());
    this.toCauses = h(
      "button",
      { type: "button", hidden: true, onclick: () => this.goToCauses() },
      "Failures by cause",
    );
    this.grids = this.gridCard();
    root.replaceChildren(...this.sections());
    this.stream = new Stream(id, {
      state: (state) => this.connect(state),
      snapshot: (data) => this.snapshot(data),
      transitions: (data, version) => this.transitions(data, version),
      progress: (data) => this.progress(data),
      completed: (data) => this.completed(data),
      refused: (error) => root.replaceChildren(crumbs(), errorNotice(error)),
    });
    this.ticking = setInterval(() => this.tick(), TICK);
  }

  sections() {
    return [
      crumbs(),
      this.overview.element,
      this.pipelineAndWaits.element,
      this.grids,
      h(
        "section",
        { class: "card" },
        h("div", { class: "card-head" }, h("h2", {}, "Rate and remaining time"), chartLegend()),
        this.chart.element,
      ),
      this.causes,
      this.comparison.element,
      h(
        "section",
        { class: "card" },
        h("div", { class: "card-head" }, h("h2", {}, "Containers")),
        this.containers.element,
      ),
      h(
        "section",
        { class: "card" },
        h("div", { class: "card-head" }, h("h2", {}, "Cost")),
        this.cost.element,
      ),
      logCard(this.log),
      this.panel.element,
    ];
  }

  gridCard() {
    return h(
      "section",
      { class: "card" },
      h("div", { class: "card-head" }, h("h2", {}, "Instances"), this.overview.legendElement),
      this.grid.element,
      h(
        "div",
        { class: "grid-foot" },
        h(
          "p",
          { class: "muted", id: "grid-keys" },
          "Choose a cell to open its instance.",
          h(
            "span",
            { class: "keys" },
            " Keys: arrows move, Enter opens, E goes to the next that errored. To select: Space, Shift with ",
            "arrows or a click, Ctrl with a click.",
          ),
        ),
        this.grid.selection.element,
        this.toCauses,
        this.jump(),
      ),
    );
  }

  /** With errors, causes come first; what errs later leaves the order as it is, for nothing may jump. */
  placeFailures() {
    if (this.isPlaced) return;
    this.isPlaced = true;
    this.isCausesFirst = this.view.counts.errored + this.instances.counts.b > 0;
    if (this.isCausesFirst) this.grids.before(this.causes);
  }

  /** @param {number} errored */
  showFailures(errored) {
    const isEnded = this.view.status !== "InProgress";
    this.failures.show(errored, this.instances.counts.b, isEnded);
    this.grid.selection.allowRerun(isEnded);
    this.toCauses.hidden = !(errored + this.instances.counts.b) || Boolean(this.isCausesFirst);
  }

  goToCauses() {
    this.causes.scrollIntoView({ block: "start" });
    this.causes.querySelector("h2")?.focus();
  }

  /**
   * Show another instance of the same orchestration, or none.
   * @param {{ index: number | null }} place
   */
  update({ index }) {
    this.index = index;
    if (index === null) this.leavePanel();
    else if (this.instances.total) this.panel.open(index, this.instances);
  }

  /** @param {StreamState} state */
  connect(state) {
    stopClock(state === "lost");
    this.tick(); // what is shown is as of the loss, not of some tick before it
    this.overview.connect(state);
  }

  close() {
    stopClock(false);
    this.stream.close();
    this.pipelineAndWaits.close();
    this.grid.close();
    this.chart.close();
    this.failures.close();
    this.containers.close();
    this.cost.close();
    this.log.close();
    this.index = null; // or the panel, as it closes, would lead back to this page
    this.panel.close();
    clearInterval(this.ticking);
  }

  /** A form that opens an instance by its index. */
  jump() {
    const index = h("input", {
      type: "number",
      min: 0,
      name: "index",
      required: true,
      "aria-label": "Index of an instance",
      placeholder: "Index",
    });
    return h(
      "form",
      {
        class: "jump",
        onsubmit: (event) => {
          event.preventDefault();
          if (index.valueAsNumber < this.instances.total) this.choose(index.valueAsNumber);
        },
      },
      index,
      h("button", { type: "submit" }, "Open"),
    );
  }

  /** @param {number} index */
  choose(index) {
    this.chosenHere = true;
    location.hash = `#/${path(this.id)}/instances/${index}`;
  }

  leavePanel() {
    this.chosenHere = false;
    this.panel.close();
  }

  leaveInstance() {
    if (this.index === null) return;
    // Going back restores the history; a page that was opened with the panel has nothing to go back to.
    if (this.chosenHere) history.back();
    else location.replace(`#/${path(this.id)}`);
    this.chosenHere = false;
  }

  /** @param {Snapshot} data */
  snapshot({ orchestration, statuses, progress }) {
    this.view = orchestration;
    this.instances = new Instances(statuses, progress);
    this.overview.show(orchestration);
    this.overview.countStates(this.instances.counts);
    this.pipelineAndWaits.show(orchestration);
    this.grid.show(this.instances);
    this.placeFailures();
    this.showFailures(orchestration.counts.errored);
    this.showRest(orchestration);
    [this.throughput, this.pendingTransitions] = [null, []];
    this.tick();
    this.loadThroughput();
    if (this.index !== null) this.panel.open(this.index, this.instances);
  }

  /**
   * @param {Transitions} data
   * @param {number} version
   */
  transitions({ transitions, counts, cancelled_at, eta_seconds }, version) {
    const changed = this.instances.apply(transitions);
    this.grid.refresh(changed);
    this.panel.refresh(changed);
    if (cancelled_at) this.overview.showCancelled();
    if (transitions.length) this.overview.showStandstill(null);
    this.overview.count(counts, eta_seconds);
    this.overview.countStates(this.instances.counts);
    this.showFailures(counts.errored);
    if (this.throughput?.began) this.throughput.add(transitions, version);
    else this.pendingTransitions.push([transitions, version]);
    if (this.throughput?.began === null) this.loadThroughput();
  }

  /** @param {{ progress: InstanceProgress[] }} data */
  progress({ progress }) {
    const changed = this.instances.applyProgress(progress);
    this.grid.refresh(changed);
    this.panel.refresh(changed);
  }

  /** @param {{ orchestration: OrchestrationView }} data */
  completed({ orchestration }) {
    this.view = orchestration;
    this.overview.show(orchestration);
    this.showFailures(orchestration.counts.errored);
    this.pipelineAndWaits.show(orchestration);
    this.showRest(orchestration);
    this.tick();
  }

  /** @param {OrchestrationView} view */
  showRest(view) {
    for (const part of [this.comparison, this.containers, this.cost]) part.show(view);
  }

  /** Ask for what came before; what comes meanwhile is kept, and counted after it. */
  async loadThroughput() {
    if (this.loading) return;
    this.loading = true;
    try {
      this.throughput = new Throughput(await get(`${path(this.id)}/throughput`));
      if (this.throughput.began !== null) {
        for (const [transitions, version] of this.pendingTransitions.splice(0))
          this.throughput.add(transitions, version);
      }
      this.tick();
    } catch {
      // The next snapshot asks again; the rest of the page lives without it.
    } finally {
      this.loading = false;
    }
  }

  tick() {
    const seconds = now() / 1_000;
    this.overview.tick(this.throughput?.rate(seconds) ?? null);
    if (!this.throughput || document.hidden) return;
    const { completed_at, last_outcome_at, total } = this.view;
    const isLive = completed_at === null;
    const until = isLive ? seconds : Date.parse(last_outcome_at ?? "") / 1_000;
    const { standstill } = this.overview.view;
    const standsSince = standstill ? Date.parse(standstill.since) / 1_000 : undefined;
    this.chart.show(this.throughput.columns(total, until, isLive, standsSince), isLive);
  }
}

/** The way back to the list as it was. */
const crumbs = () =>
  h(
    "nav",
    { class: "crumbs", "aria-label": "Where this is" },
    h("a", { href: lastList() }, "Orchestrations"),
  );

function chartLegend() {
  const names = {
    completed: "Instances a second",
    errored: "Errored a second",
    remaining: "Remaining time (right)",
  };
  return h(
    "ul",
    { class: "legend" },
    Object.entries(names).map(([name, label]) =>
      h("li", {}, h("span", { class: `line ${name}`, "aria-hidden": "true" }), label),
    ),
  );
}
