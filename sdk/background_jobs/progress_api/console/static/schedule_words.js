/** Schedules in words: when they are due, and what became of their occurrences. */

import { h } from "./dom.js";
import { moment, stamp } from "./format.js";

const CLOCK_STEP = 60;

/**
 * `every 6 hours`, `once, Nov 27, 2026, 3:00:00 AM`, `0 3 * * ? *, Europe/Berlin`
 * @param {string} due the expression of EventBridge Scheduler
 * @param {string} zone
 */
export function dueWords(due, zone) {
  const [, kind, inner] = /^(\w+)\((.*)\)$/.exec(due) ?? ["", "", due];
  if (kind === "rate") return inner.startsWith("1 ") ? `every ${inner.slice(2)}` : `every ${inner}`;
  if (kind === "at") return `once, ${moment(`${inner}Z`)}`;
  return `${inner}, ${zone}`;
}

/**
 * A moment to the minute, with its day where that is not today.
 * @param {string} iso
 */
export const minute = (iso) => h("time", { datetime: iso, title: moment(iso) }, stamp(iso, CLOCK_STEP));

/** @type {Record<string, string>} */
const STATES = {
  active: "Active",
  paused: "Paused",
  over: "Over",
  started: "Started",
  queued: "Queued",
  skipped: "Skipped",
  missed: "Missed",
  InProgress: "In progress",
};
/** @type {Record<string, string>} */
const LOOKS = { active: "Completed", missed: "Errored", skipped: "standstill", queued: "standstill" };

/** @param {string} state */
export const stateBadge = (state) =>
  h("span", { class: "badge", "data-status": LOOKS[state] ?? state }, STATES[state] ?? state);

/**
 * What became of an occurrence: its status where it was started, and otherwise why it was not.
 * @param {ScheduleRun} run
 */
export const runBadge = (run) => stateBadge(run.state === "started" ? (run.status ?? "started") : run.state);

/**
 * `2 missed, 1 skipped`; empty where all were started.
 * @param {ScheduleRun[]} runs
 */
export function troubles(runs) {
  return ["missed", "skipped"]
    .map((state) => [runs.filter((run) => run.state === state).length, state])
    .filter(([number]) => number)
    .map(([number, state]) => `${number} ${state}`)
    .join(", ");
}
