/** When a schedule is due: by cron in a time zone, every so often, or once. */

import { localTime } from "./backfill.js";
import { now } from "./clock.js";
import { h } from "./dom.js";

const HOUR = 3_600_000;
/** @type {Record<string, number>} */
const UNITS = { minutes: 60, hours: 3_600, days: 86_400 };
const WAYS = { cron: "By the clock (cron)", every: "Every so often", at: "Once" };

export class TimingInput {
  /** @param {ScheduleDefinition | null} before */
  constructor(before) {
    const way = before?.at ? "at" : before?.every ? "every" : "cron";
    const [number, unit] = readDuration(before?.every ?? "PT1H");
    this.start = before?.start ?? undefined;
    this.cron = input("cron", { value: before?.cron ?? "0 3 * * *", "aria-describedby": "cron-about" });
    this.zone = input("timezone", {
      value: before?.timezone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
      list: "zones",
    });
    this.number = input("every", { value: number, inputmode: "numeric" });
    this.unit = h(
      "select",
      { id: "unit", "aria-label": "Unit" },
      Object.keys(UNITS).map((name) => h("option", { value: name, selected: name === unit }, name)),
    );
    const at = before?.at ? Date.parse(before.at) : now() + HOUR;
    this.at = input("at", { type: "datetime-local", value: localTime(at) });
    this.parts = {
      cron: h(
        "div",
        { class: "options" },
        field("Cron", "cron", this.cron, "Minute, hour, day of the month, month, day of the week"),
        field("Time zone", "timezone", this.zone),
        zones(),
      ),
      every: h(
        "div",
        { class: "options" },
        field("Every", "every", this.number),
        field("Unit", "unit", this.unit),
      ),
      at: h("div", { class: "options" }, field("At", "at", this.at)),
    };
    this.way = way;
    this.element = h(
      "fieldset",
      { class: "params-input" },
      h("legend", {}, "When it is due"),
      h(
        "div",
        { class: "choices" },
        Object.entries(WAYS).map(([name, words]) => this.choice(name, words)),
      ),
      Object.values(this.parts),
    );
    this.toggle();
  }

  /**
   * @param {string} name
   * @param {string} words
   */
  choice(name, words) {
    const radio = h("input", {
      type: "radio",
      name: "way",
      value: name,
      checked: name === this.way,
      onchange: () => {
        this.way = name;
        this.toggle();
      },
    });
    return h("label", { class: "choice" }, radio, words);
  }

  toggle() {
    for (const [name, part] of Object.entries(this.parts)) part.hidden = name !== this.way;
  }

  /** Return the options of a schedule that say when it is due. Throws an Error that says what is missing. */
  read() {
    const none = { cron: null, every: null, at: null, timezone: "UTC" };
    if (this.way === "cron") return { ...none, cron: this.cron.value, timezone: this.zone.value };
    if (this.way === "at") {
      if (!this.at.value) throw new Error("Say when it is due.");
      return { ...none, at: new Date(this.at.value).toISOString(), start: null, end: null };
    }
    const seconds = Number(this.number.value) * UNITS[this.unit.value];
    if (!(seconds >= 60))
      throw new Error("It can be due every minute at most: write a whole number above 0.");
    return { ...none, every: seconds, start: this.start ?? null };
  }
}

/**
 * @param {string} id
 * @param {Attributes} attributes
 */
const input = (id, attributes) => h("input", { id, name: id, autocomplete: "off", ...attributes });

/**
 * @param {string} words
 * @param {string} id
 * @param {HTMLElement} control
 * @param {string} [about]
 */
const field = (words, id, control, about) =>
  h(
    "div",
    { class: "field" },
    h("label", { for: id }, words),
    control,
    about ? h("span", { class: "about", id: `${id}-about` }, about) : null,
  );

function zones() {
  const names = Intl.supportedValuesOf("timeZone");
  return h(
    "datalist",
    { id: "zones" },
    ["UTC", ...names].map((value) => h("option", { value })),
  );
}

/**
 * Return a duration as the API writes it, in its largest unit: `PT90M` is 90 minutes.
 * @param {string | number} duration
 * @returns {[number, string]}
 */
function readDuration(duration) {
  const [, days, hours, minutes, seconds] =
    /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(String(duration)) ?? [];
  const total = [days, hours, minutes, seconds].reduce(
    (sum, part, place) => sum + Number(part ?? 0) * [86_400, 3_600, 60, 1][place],
    0,
  );
  const unit = Object.keys(UNITS).findLast((name) => total % UNITS[name] === 0) ?? "minutes";
  return [total / UNITS[unit], unit];
}
