/** When schedules are due in the next seven days, by day. */

import { now } from "./clock.js";
import { h } from "./dom.js";
import { count } from "./format.js";

const DAYS = 7;
const FEW = 3; // occurrences of a schedule on a day that are shown one by one
const NAME = new Intl.DateTimeFormat("en", { weekday: "short", day: "numeric", month: "short" });
const TIME = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** The time that a calendar shows: from now on. */
export function week() {
  const from = new Date(now());
  const to = new Date(startOfDay(from));
  to.setDate(to.getDate() + DAYS);
  return { from: from.toISOString(), to: to.toISOString() };
}

/**
 * @param {ScheduleOccurrences[]} schedules
 */
export function calendar(schedules) {
  const first = startOfDay(new Date(now()));
  const days = Array.from({ length: DAYS }, (_, number) => {
    const day = new Date(first);
    day.setDate(day.getDate() + number);
    return day;
  });
  return h(
    "ol",
    { class: "calendar" },
    days.map((day, number) => dayOf(day, number, schedules)),
  );
}

/**
 * @param {Date} day
 * @param {number} number
 * @param {ScheduleOccurrences[]} schedules
 */
function dayOf(day, number, schedules) {
  const entries = schedules.flatMap((schedule) => entriesOf(day, schedule));
  entries.sort((one, other) => one.at - other.at);
  return h(
    "li",
    { class: "calendar-day" },
    h("h3", {}, number === 0 ? "Today" : NAME.format(day)),
    entries.length
      ? h(
          "ul",
          {},
          entries.map(({ words, schedule }) =>
            h(
              "li",
              {},
              h("span", { class: "calendar-time" }, words),
              h("a", { href: `#/schedules/${encodeURIComponent(schedule)}` }, schedule),
            ),
          ),
        )
      : h("p", { class: "muted" }, "Nothing"),
  );
}

/**
 * @param {Date} day
 * @param {ScheduleOccurrences} schedule
 */
function entriesOf(day, { schedule, occurrences, has_more }) {
  const own = occurrences.map((at) => new Date(at)).filter((at) => at.toDateString() === day.toDateString());
  const isAfterLast = has_more && startOfDay(day) > startOfDay(new Date(occurrences.at(-1) ?? 0));
  if (isAfterLast) return [{ at: startOfDay(day), words: "very often", schedule }];
  if (own.length <= FEW) return own.map((at) => ({ at: at.getTime(), words: TIME.format(at), schedule }));
  const isCut = has_more && startOfDay(day) === startOfDay(new Date(occurrences.at(-1) ?? 0));
  const words = `${count(own.length)}${isCut ? "+" : ""} times from ${TIME.format(own[0])}`;
  return [{ at: own[0].getTime(), words, schedule }];
}

/** @param {Date} at */
function startOfDay(at) {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}
