/** The stages of an orchestration's pipeline, what its instances wait for, and its parent. */

import { get, path } from "./api.js";
import { h } from "./dom.js";
import { ago, count, plural } from "./format.js";
import { Badge } from "./components.js";

const PAUSE = 5_000;
const PATIENCE = 10_000; // milliseconds, after which the API counts as lost

export class PipelineAndWaits {
  /**
   * *onView* is called with the orchestration each time that it was loaded, while it is in progress.
   * @param {string} id
   * @param {(view: OrchestrationView) => void} onView
   */
  constructor(id, onView) {
    this.id = id;
    this.onView = onView;
    this.stages = h("ol", { class: "stages", hidden: true, "aria-label": "Stages of the pipeline" });
    this.waits = h("ul", { class: "waits", hidden: true, "aria-label": "What waits, and why" });
    this.element = h("div", { class: "pipeline-and-waits" }, this.stages, this.waits);
  }

  close() {
    clearTimeout(this.later);
    this.closed = true;
  }

  /**
   * Show the pipeline and waits of *view*, and load them every few seconds until their end.
   * @param {OrchestrationView} view
   */
  show(view) {
    this.view = view;
    clearTimeout(this.later);
    this.load();
  }

  async load() {
    if (!this.view) return;
    const { pipeline_id: inPipeline, completed_at: ended } = this.view;
    let goesOn = ended === null;
    try {
      // What stands still sends no events, and says nothing of it.
      if (goesOn) await this.loadView();
      if (inPipeline) goesOn = this.showPipeline(await get(`${path(this.id)}/pipeline`)) || goesOn;
      this.showWaits(ended === null ? (await get(`${path(this.id)}/waits`)).items : []);
    } catch {
      // The rest of the page says what is wrong; this is loaded again.
    }
    if (goesOn && !this.closed) this.later = setTimeout(() => this.load(), PAUSE);
  }

  async loadView() {
    const view = /** @type {OrchestrationView} */ (await get(path(this.id), {}, PATIENCE));
    if (!this.closed && view.completed_at === null && this.view?.completed_at === null) this.onView(view);
  }

  /**
   * Show the stages, and return whether the pipeline goes on.
   * @param {PipelineView} pipeline
   */
  showPipeline({ status, stages }) {
    this.stages.hidden = stages.length < 2;
    this.stages.replaceChildren(...stages.map((stage) => this.stage(stage)));
    return status === "InProgress";
  }

  /** @param {StageView} stage */
  stage({ number, job_name: job, orchestration, skipped }) {
    const name = h("span", { class: "stage-name" }, `${number}. ${job}`);
    if (!orchestration)
      return h(
        "li",
        { class: "stage" },
        name,
        h("span", { class: "muted" }, skipped ? `skipped: ${skipped}` : "to come"),
      );
    const badge = new Badge();
    badge.show(orchestration.status);
    const done = orchestration.counts.completed + orchestration.counts.errored;
    const here = orchestration.orchestration_id === this.id;
    const link = here ? name : h("a", { href: `#/${path(orchestration.orchestration_id)}` }, name);
    return h(
      "li",
      { class: "stage", "aria-current": here ? "step" : null },
      link,
      badge.element,
      h("span", { class: "muted" }, `${count(done)} of ${count(orchestration.total)}`),
    );
  }

  /** @param {Wait[]} waits */
  showWaits(waits) {
    this.waits.hidden = !waits.length;
    this.waits.replaceChildren(
      ...waits.map(({ reason, instances, since, detail, advice }) => {
        const line = h(
          "li",
          {},
          h("strong", {}, plural(instances, "instance")),
          ` ${reason}, since ${ago(since)}`,
        );
        if (detail) line.append(h("span", { class: "muted" }, ` · ${detail}`));
        if (advice) line.append(` · ${advice}`);
        return line;
      }),
    );
  }
}

/** @type {Record<string, string>} */
const RELATIONS = {
  failed: "runs again the failures of ",
  all: "runs again all of ",
  selected: "runs again a part of ",
  "": "follows ",
};

/**
 * Show the parent of an orchestration in *element*.
 * @param {HTMLElement} element
 * @param {OrchestrationView} view
 */
export function showLineage(element, { parent_id: parent, rerun_only: again }) {
  element.hidden = !parent;
  if (!parent) return;
  element.replaceChildren(RELATIONS[again ?? ""], h("a", { href: `#/${path(parent)}` }, parent.slice(0, 8)));
}
