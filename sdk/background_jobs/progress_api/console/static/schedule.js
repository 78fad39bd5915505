/** One schedule: when it is due, what became of its occurrences, and what can be done about them. */

import { get, post, remove } from "./api.js";
import { ask } from "./actions.js";
import { backfill } from "./backfill.js";
import { getCaller, mayChange, readOnlyNote } from "./caller.js";
import { errorNotice, tagList } from "./components.js";
import { h, setText } from "./dom.js";
import { moment, plural, span } from "./format.js";
import { schedulePath } from "./schedules.js";
import { dueWords, minute, runBadge, stateBadge } from "./schedule_words.js";

const PAUSE = 5_000;
const RUNS = 50;

export class SchedulePage {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  later;
  shown = "";

  /**
   * @param {HTMLElement} root
   * @param {{ name: string }} place
   */
  constructor(root, { name }) {
    this.name = name;
    this.path = schedulePath(name);
    this.state = h("span");
    this.buttons = h("div", { class: "buttons" });
    this.note = h("p", { class: "note", role: "status" });
    this.body = h("div", { class: "page-body", "aria-busy": "true" });
    root.replaceChildren(
      h("p", { class: "crumbs" }, h("a", { href: "#/schedules" }, "Schedules")),
      h(
        "div",
        { class: "overview-head" },
        h("div", { class: "overview-title" }, h("h1", { tabindex: -1 }, name), this.state),
        this.buttons,
      ),
      this.note,
      this.body,
    );
    document.title = name;
    this.load();
  }

  update() {}

  close() {
    this.closed = true;
    clearTimeout(this.later);
  }

  async load() {
    clearTimeout(this.later);
    try {
      const [schedule, runs, caller] = await Promise.all([
        get(this.path),
        get(`${this.path}/runs`, { limit: RUNS }),
        getCaller(),
      ]);
      if (this.closed) return;
      this.show(schedule, runs.items, mayChange(caller, schedule.service));
      this.later = setTimeout(() => this.load(), PAUSE);
    } catch (error) {
      if (this.closed) return;
      this.shown = "";
      this.body.replaceChildren(errorNotice(error, () => this.load()));
    }
    this.body.setAttribute("aria-busy", "false");
  }

  /**
   * @param {ScheduleView} schedule
   * @param {ScheduleRun[]} runs
   * @param {boolean} mayAct
   */
  show(schedule, runs, mayAct) {
    // What has not changed is not made again, so that nothing jumps and nothing loses the focus.
    const now = JSON.stringify([schedule, runs]);
    if (now === this.shown) return;
    this.shown = now;
    this.state.replaceChildren(stateBadge(schedule.state));
    this.buttons.replaceChildren(...this.actions(schedule, mayAct));
    this.body.replaceChildren(
      h("section", { class: "card" }, facts(schedule)),
      h(
        "section",
        { class: "card" },
        h("div", { class: "card-head" }, h("h2", {}, "What became of its occurrences")),
        runs.length ? runTable(runs) : h("p", { class: "muted" }, "It was never due so far."),
      ),
    );
  }

  /**
   * @param {ScheduleView} schedule
   * @param {boolean} mayAct
   */
  actions(schedule, mayAct) {
    if (!mayAct) return [readOnlyNote("change this schedule")];
    if (schedule.state === "over") return [this.button("Backfill", () => this.askBackfill())];
    const isPaused = schedule.state === "paused";
    const change = h("a", { class: "button", href: `#/${this.path}/change` }, "Change");
    return [
      this.button("Run now", () => this.runNow()),
      this.button(isPaused ? "Resume" : "Pause", () => this.act(isPaused ? "resume" : "pause")),
      this.button("Backfill", () => this.askBackfill()),
      ...(schedule.declared ? [] : [change, this.button("Delete", () => this.askDelete())]),
    ];
  }

  /**
   * @param {string} words
   * @param {() => unknown} act
   */
  button(words, act) {
    return h("button", { type: "button", onclick: act }, words);
  }

  /** @param {string} action */
  async act(action) {
    await this.attempt(async () => {
      const { state } = await post(`${this.path}/${action}`, {});
      return state === "paused" ? "Paused: nothing is due until it is resumed." : "It is due again.";
    });
  }

  async runNow() {
    await this.attempt(async () => {
      const run = /** @type {ScheduleRun} */ (await post(`${this.path}/run-now`, {}));
      if (!run.orchestration_id) return `It did not run: ${run.reason}.`;
      location.hash = `#/orchestrations/${run.orchestration_id}`;
      return "";
    });
  }

  /** @param {() => Promise<string>} act */
  async attempt(act) {
    try {
      setText(this.note, await act());
    } catch (error) {
      setText(this.note, error instanceof Error ? error.message : String(error));
    }
    await this.load();
  }

  askBackfill() {
    backfill(this.path, async (words) => {
      setText(this.note, words);
      await this.load();
    });
  }

  askDelete() {
    ask({
      title: `Delete ${this.name}?`,
      text: "Nothing is due any more, and its queue is emptied. Runs in progress go on, and the history stays.",
      no: "Keep it",
      yes: "Delete",
      isGrave: true,
      act: async () => {
        await remove(this.path);
        location.hash = "#/schedules";
      },
    });
  }
}

/** @param {ScheduleView} schedule */
function facts(schedule) {
  const rows = [
    ["Job", h("a", { href: `#/?job_name=${encodeURIComponent(schedule.job_name)}` }, schedule.job_name)],
    ["Service", schedule.service],
    ["Due", dueWords(schedule.due, schedule.timezone)],
    ["Next", nextRuns(schedule.next_runs)],
    schedule.start ? ["From", moment(schedule.start)] : null,
    schedule.end ? ["Until", moment(schedule.end)] : null,
    ["Overlap", OVERLAPS[schedule.overlap]],
    schedule.jitter_minutes ? ["Jitter", `up to ${schedule.jitter_minutes} min later`] : null,
    ["Params", paramsOf(schedule)],
    schedule.parallelism ? ["Parallelism", String(schedule.parallelism)] : null,
    schedule.retry ? ["Attempts", `${schedule.retry.max_attempts} at most`] : null,
    schedule.timeout_seconds ? ["Timeout", span(schedule.timeout_seconds)] : null,
    schedule.notify.length ? ["Notifies", schedule.notify.join(", ")] : null,
    schedule.then.length ? ["Then", schedule.then.join(", ")] : null,
    Object.keys(schedule.tags).length ? ["Tags", h("span", { class: "tags" }, tagList(schedule.tags))] : null,
    schedule.declared ? ["Declared", "The stack declares it: change it there, and deploy."] : null,
  ];
  return h(
    "dl",
    { class: "facts" },
    rows
      .filter((row) => row !== null)
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** @param {ScheduleView} schedule */
function paramsOf({ instances, first_params }) {
  if (instances === null) return "too large to be shown here";
  const shown = first_params.map((params) => h("code", {}, JSON.stringify(params)));
  const others = instances - first_params.length;
  return h("span", { class: "next-runs" }, ...shown, others ? `and ${plural(others, "other")}` : "");
}

/** @type {Record<string, string>} */
const OVERLAPS = {
  skip: "skip it while a run is in progress",
  queue: "queue it while a run is in progress",
  allow: "run beside a run in progress",
};

/** @param {string[]} times */
function nextRuns(times) {
  if (!times.length) return "none, as it stands";
  return h(
    "span",
    { class: "next-runs" },
    times.map((at) => minute(at)),
  );
}

/** @param {ScheduleRun[]} runs */
function runTable(runs) {
  return h(
    "div",
    { class: "runs", tabindex: 0, role: "region", "aria-label": "Occurrences" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Due", "State", "Orchestration, or why none"].map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        runs.map((run) =>
          h(
            "tr",
            {},
            h("td", {}, minute(run.scheduled_at)),
            h("td", {}, runBadge(run)),
            h("td", {}, run.orchestration_id ? runLink(run.orchestration_id) : run.reason || MISSED),
          ),
        ),
      ),
    ),
  );
}

const MISSED = "It was due, and nothing came of it. Backfill runs it.";

/** @param {string} id */
const runLink = (id) => h("a", { href: `#/orchestrations/${id}` }, h("code", {}, id.slice(0, 8)));
