/** Running the occurrences of the past that did not run, once somebody has seen which these are. */

import { get, post } from "./api.js";
import { ask } from "./actions.js";
import { now } from "./clock.js";
import { h } from "./dom.js";
import { moment, plural } from "./format.js";

const CALM = 300;
const SHOWN = 8;
const SIX_DAYS = 6 * 86_400_000; // offline, what is older than a week is not known

/**
 * @param {string} path of the schedule
 * @param {(words: string) => Promise<void>} onStarted
 */
export function backfill(path, onStarted) {
  const from = timeField("From", "backfill-from", now() - SIX_DAYS);
  const to = timeField("To (not included)", "backfill-to", now());
  const overlap = h(
    "select",
    { id: "backfill-overlap" },
    h("option", { value: "" }, "As the schedule says"),
    h("option", { value: "queue" }, "One after the other"),
    h("option", { value: "allow" }, "All at once"),
    h("option", { value: "skip" }, "Skip while one is in progress"),
  );
  const preview = h("div", { class: "preview", role: "status" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let later;
  const plan = () => {
    clearTimeout(later);
    later = setTimeout(() => show(preview, path, from.input, to.input), CALM);
  };
  for (const { input } of [from, to]) input.addEventListener("input", plan);
  show(preview, path, from.input, to.input);
  ask({
    title: "Run what did not run?",
    text: "Occurrences that were missed, skipped or due in a pause. What ran does not run again.",
    field: h(
      "div",
      { class: "backfill" },
      from.element,
      to.element,
      h("div", { class: "field" }, h("label", { for: "backfill-overlap" }, "Overlap"), overlap),
      preview,
    ),
    no: "Leave it",
    yes: "Run these",
    act: async () => {
      const { items } = /** @type {{ items: ScheduleRun[] }} */ (
        await post(`${path}/backfill`, { ...span(from.input, to.input), overlap: overlap.value || null })
      );
      const started = items.filter((run) => run.orchestration_id).length;
      const rest = items.length - started;
      await onStarted(`${plural(started, "run")} started${rest ? `, ${rest} queued or skipped` : ""}.`);
    },
  });
}

/**
 * @param {HTMLElement} preview
 * @param {string} path
 * @param {HTMLInputElement} from
 * @param {HTMLInputElement} to
 */
async function show(preview, path, from, to) {
  try {
    const { occurrences, ran } = await get(`${path}/backfill`, span(from, to));
    const more = occurrences.length - SHOWN;
    preview.replaceChildren(
      h(
        "p",
        {},
        `${plural(occurrences.length, "occurrence")} would run${ran ? `; ${ran} ran already` : ""}.`,
      ),
      h(
        "ol",
        { class: "occurrences" },
        occurrences.slice(0, SHOWN).map((/** @type {string} */ at) => h("li", {}, moment(at))),
        more > 0 ? h("li", { class: "muted" }, `and ${more} more`) : null,
      ),
    );
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    preview.replaceChildren(h("p", { class: "refusal" }, words));
  }
}

/**
 * @param {HTMLInputElement} from
 * @param {HTMLInputElement} to
 */
function span(from, to) {
  if (!from.value || !to.value) throw new Error("Say from when, and to when.");
  return { from: new Date(from.value).toISOString(), to: new Date(to.value).toISOString() };
}

/**
 * @param {string} words
 * @param {string} id
 * @param {number} at
 */
function timeField(words, id, at) {
  const input = h("input", { id, type: "datetime-local", value: localTime(at), required: true });
  return { input, element: h("div", { class: "field" }, h("label", { for: id }, words), input) };
}

/**
 * `2026-11-27T03:00`, by the clock of this machine, rounded down to a minute.
 * @param {number} milliseconds
 */
export function localTime(milliseconds) {
  const at = new Date(milliseconds);
  return new Date(milliseconds - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
