/** Numbers, moments and spans of time as text. */

import { now } from "./clock.js";

const NUMBER = new Intl.NumberFormat("en");
const MOMENT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "long", hourCycle: "h23" });
const CLOCK = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});
const ZONE = new Intl.DateTimeFormat("en", { timeZoneName: "short" });
const DAY = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const MINUTE = 60;
const HOUR = 3_600;
const DAYS = 86_400;

/** @param {number} number */
export const count = (number) => NUMBER.format(number);

/**
 * @param {number} number
 * @param {string} word
 */
export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/**
 * Whole percents, rounded down: 100 % is all.
 * @param {number} part
 * @param {number} whole
 */
export const percent = (part, whole) => (whole ? Math.floor((100 * part) / whole) : 100);

/**
 * Seconds from one moment (ISO 8601) to another, by default now; never below 0, because clocks differ.
 * @param {string} from
 * @param {string | null} [to]
 */
export function between(from, to) {
  return Math.max(0, ((to ? Date.parse(to) : now()) - Date.parse(from)) / 1_000);
}

/**
 * `0.8 s`, `41 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
 * @param {number} seconds
 */
export function span(seconds) {
  if (seconds < 0.005) return "0 s";
  if (seconds < 1) return `${seconds.toFixed(seconds < 0.1 ? 2 : 1)} s`;
  if (seconds < 10) return `${seconds.toFixed(1).replace(".0", "")} s`;
  const whole = Math.round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return two(Math.floor(whole / MINUTE), "min", whole % MINUTE, "s");
  const minutes = Math.round(seconds / MINUTE);
  if (seconds < DAYS) return two(Math.floor(minutes / MINUTE), "h", minutes % MINUTE, "min");
  const hours = Math.round(seconds / HOUR);
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

/**
 * Seconds, short enough for an axis: `30 s`, `1.5 min`, `2 h`.
 * @param {number} seconds
 */
export function brief(seconds) {
  /** @type {[number, string]} */
  const [size, unit] =
    seconds < MINUTE
      ? [1, "s"]
      : seconds < HOUR
        ? [MINUTE, "min"]
        : seconds < DAYS
          ? [HOUR, "h"]
          : [DAYS, "d"];
  return `${short(seconds / size)} ${unit}`;
}

/**
 * @param {number} large
 * @param {string} unit
 * @param {number} small
 * @param {string} part
 */
const two = (large, unit, small, part) => (small ? `${large} ${unit} ${small} ${part}` : `${large} ${unit}`);

/**
 * `just now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 d ago`, and then the date.
 * @param {string} moment
 */
export function ago(moment) {
  const seconds = between(moment);
  if (seconds < 5) return "just now";
  if (seconds < MINUTE) return `${Math.floor(seconds)} s ago`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ago`;
  if (seconds < DAYS) return `${Math.floor(seconds / HOUR)} h ago`;
  if (seconds < 7 * DAYS) return `${Math.floor(seconds / DAYS)} d ago`;
  return DAY.format(new Date(moment));
}

/**
 * A number per second, minute or hour, whichever reads best.
 * @param {number} perSecond
 */
export function rate(perSecond) {
  if (perSecond === 0) return "0 /s";
  if (perSecond >= 1) return `${perSecond >= 100 ? count(Math.round(perSecond)) : short(perSecond)} /s`;
  if (perSecond * MINUTE >= 1) return `${short(perSecond * MINUTE)} /min`;
  return `${short(perSecond * HOUR)} /h`;
}

/**
 * Rates (per second) as the labels of one axis: all in the unit in which the largest reads best.
 * @param {number[]} ticks
 */
export function rateLabels(ticks) {
  const most = Math.max(...ticks);
  /** @type {[number, string]} */
  const [factor, unit] =
    most === 0 || most >= 1 ? [1, "s"] : most * MINUTE >= 1 ? [MINUTE, "min"] : [HOUR, "h"];
  return ticks.map((tick) => `${count(Number((tick * factor).toPrecision(6)))} /${unit}`);
}

/** @param {number} number */
const short = (number) => String(Number(number.toPrecision(2)));

/** @param {string} iso */
export const moment = (iso) => MOMENT.format(new Date(iso));

/**
 * `21:54:25.948`
 * @param {string | Date} iso
 */
export const clock = (iso) => CLOCK.format(new Date(iso));

/**
 * The time of a moment in seconds, to a precision of *step* seconds: `21:54:25`, `21:54`, or the day.
 * @param {number} seconds
 * @param {number} step
 */
export function timeOfDay(seconds, step) {
  const at = new Date(seconds * 1_000);
  return step >= DAYS ? DAY.format(at) : clock(at).slice(0, digits(step));
}

/**
 * The number of characters of a time that tell moments apart which are *step* seconds from each other.
 * @param {number} step
 */
function digits(step) {
  if (step >= MINUTE) return "21:54".length;
  return step >= 1 ? "21:54:25".length : "21:54:25.948".length;
}

/** @param {Date} at */
const zone = (at) => ZONE.formatToParts(at).find(({ type }) => type === "timeZoneName")?.value ?? "";

/**
 * The day and the time zone of a moment (milliseconds) that is not of today; empty for one of today.
 * @param {number} milliseconds
 */
export function dayIfNotToday(milliseconds) {
  const at = new Date(milliseconds);
  return at.toDateString() === new Date(now()).toDateString() ? "" : `${DAY.format(at)}, ${zone(at)}`;
}

/**
 * `21:54:25.948`, or less where *step* (seconds) is longer; with the day and the time zone of another day.
 * @param {string} iso
 */
export function stamp(iso, step = 0.001) {
  const at = Date.parse(iso);
  return [timeOfDay(at / 1_000, step), dayIfNotToday(at)].filter(Boolean).join(" · ");
}

/**
 * Indented JSON; if it is very long, it is cut, and says so.
 * @param {unknown} value
 */
export function json(value, most = 100_000) {
  const text = JSON.stringify(value, null, 2);
  return text.length <= most
    ? text
    : `${text.slice(0, most)}\n… ${count(text.length - most)} characters more`;
}
