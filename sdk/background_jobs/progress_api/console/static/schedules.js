/** The schedules of the environment, and a calendar of the next week. */

import { get } from "./api.js";
import { calendar, week } from "./calendar.js";
import { getCaller, readOnlyNote } from "./caller.js";
import { errorNotice } from "./components.js";
import { h, setText } from "./dom.js";
import { dueWords, minute, runBadge, stateBadge, troubles } from "./schedule_words.js";

const PAUSE = 10_000;
const RUNS = 20;
const AT_ONCE = 3;

/** @param {string} name */
export const schedulePath = (name) => `schedules/${encodeURIComponent(name)}`;

export class SchedulesPage {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  later;
  shown = "";
  /** @type {Map<string, ScheduleRun[]>} */
  runs = new Map();

  /** @param {HTMLElement} root */
  constructor(root) {
    this.action = h("span");
    this.body = h("div", { class: "page-body", "aria-busy": "true" });
    root.replaceChildren(
      h("div", { class: "overview-head" }, h("h1", { tabindex: -1 }, "Schedules"), this.action),
      this.body,
    );
    document.title = "Schedules";
    this.loadIfVisible = () => document.hidden || this.load();
    document.addEventListener("visibilitychange", this.loadIfVisible);
    this.load();
  }

  update() {}

  close() {
    this.closed = true;
    clearTimeout(this.later);
    document.removeEventListener("visibilitychange", this.loadIfVisible);
  }

  async load() {
    clearTimeout(this.later);
    try {
      const [schedules, due, caller] = await Promise.all([
        loadSchedules(),
        get("occurrences", week()),
        getCaller(),
      ]);
      if (this.closed) return;
      this.showAction(caller);
      this.show(schedules, due.items);
      await this.loadRuns(schedules);
      if (this.closed) return;
      this.later = setTimeout(this.loadIfVisible, PAUSE);
    } catch (error) {
      if (this.closed) return;
      this.shown = "";
      this.body.replaceChildren(errorNotice(error, () => this.load()));
    }
    this.body.setAttribute("aria-busy", "false");
  }

  /** @param {CallerView} caller */
  showAction(caller) {
    if (this.action.hasChildNodes()) return;
    const mayNone = caller.writable !== null && !caller.writable.length;
    this.action.replaceChildren(
      mayNone
        ? readOnlyNote("change schedules")
        : h("a", { class: "button primary", href: "#/new-schedule" }, "New schedule"),
    );
  }

  /**
   * @param {ScheduleView[]} schedules
   * @param {ScheduleOccurrences[]} due
   */
  show(schedules, due) {
    // What has not changed is not made again, so that nothing jumps and nothing loses the focus.
    const now = JSON.stringify([schedules, due.map(({ occurrences }) => occurrences[0])]);
    if (now === this.shown) return;
    this.shown = now;
    if (!schedules.length) return this.body.replaceChildren(noSchedules());
    /** @type {Map<string, HTMLElement>} */
    this.lasts = new Map();
    this.body.replaceChildren(
      h(
        "ol",
        { class: "rows" },
        schedules.map((schedule) => this.row(schedule)),
      ),
      h(
        "section",
        { class: "card" },
        h(
          "div",
          { class: "card-head" },
          h("h2", {}, "The next seven days"),
          h("span", { class: "muted" }, zoneNote()),
        ),
        calendar(due),
      ),
    );
  }

  /** @param {ScheduleView} schedule */
  row(schedule) {
    const last = h("span", { class: "schedule-last" });
    this.lasts?.set(schedule.name, last);
    this.showLast(schedule.name);
    const next = schedule.next_runs[0];
    return h(
      "li",
      { class: "row schedule-row" },
      h(
        "div",
        { class: "row-what" },
        h("a", { class: "row-link", href: `#/${schedulePath(schedule.name)}` }, schedule.name),
        h("span", { class: "muted" }, `${schedule.job_name} · ${dueWords(schedule.due, schedule.timezone)}`),
      ),
      h("span", { class: "row-status" }, stateBadge(schedule.state)),
      h(
        "span",
        {},
        h("span", { class: "muted" }, "Next "),
        next ? minute(next) : schedule.state === "paused" ? "none while paused" : "none",
      ),
      last,
    );
  }

  /** @param {string} name */
  showLast(name) {
    const runs = this.runs.get(name);
    const element = this.lasts?.get(name);
    if (!element || !runs) return;
    const latest = runs[0];
    const wrong = troubles(runs);
    if (!latest) return setText(element, "Never ran");
    element.replaceChildren(
      h("span", { class: "muted" }, "Last "),
      minute(latest.scheduled_at),
      " ",
      runBadge(latest),
      wrong ? h("span", { class: "schedule-troubles" }, ` ${wrong} of the last ${runs.length}`) : "",
    );
  }

  /**
   * Load what became of the last occurrences of each, a few schedules at a time.
   * @param {ScheduleView[]} schedules
   */
  async loadRuns(schedules) {
    const names = schedules.map(({ name }) => name);
    const one = async () => {
      for (let name = names.shift(); name !== undefined && !this.closed; name = names.shift()) {
        this.runs.set(name, (await get(`${schedulePath(name)}/runs`, { limit: RUNS })).items);
        this.showLast(name);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  }
}

/** @returns {Promise<ScheduleView[]>} */
async function loadSchedules() {
  return (await get("schedules", { limit: 1_000 })).items;
}

const zoneNote = () => `Times of ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;

function noSchedules() {
  return h(
    "div",
    { class: "card empty" },
    h("h2", {}, "Nothing is scheduled yet"),
    h("p", { class: "muted" }, "A schedule kicks off a job by the clock: every night, every hour, or once."),
  );
}
