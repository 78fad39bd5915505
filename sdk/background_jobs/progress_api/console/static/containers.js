/** The containers of an orchestration over time: a row for each launch, how it ended, and why. */

import { get, path } from "./api.js";
import { containersAtOnce } from "./containers_at_once.js";
import { between, count, moment, span } from "./format.js";
import { h, setText } from "./dom.js";

const PAUSE = 15_000;
const ROWS = 50;
/** @type {Record<ContainerState, string>} what a launch in each state looks like */
const BADGES = { running: "running", ended: "Completed", failed: "Errored", lost: "Errored" };

export class Containers {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    /** @type {(string | null)[]} the tokens of the pages up to this one */
    this.tokens = [null];
    /** @type {string | null} */
    this.next = null;
    this.counts = h("p", { class: "muted", role: "status" });
    this.atOnce = h("tr", { class: "at-once" });
    this.state = h(
      "select",
      { "aria-label": "State of the launches", onchange: () => this.turn([null]) },
      h("option", { value: "" }, "All launches"),
      Object.keys(BADGES).map((state) => h("option", { value: state }, `Only ${state}`)),
    );
    this.body = h("tbody");
    this.axis = h("th", { scope: "col", class: "axis" });
    this.table = h(
      "div",
      {
        class: "launches",
        tabindex: 0,
        role: "region",
        "aria-label": "Launches of containers",
        hidden: true,
      },
      h("table", {}, h("thead", {}, this.head(), this.atOnce), this.body),
    );
    this.where = h("span", { class: "muted", role: "status" });
    this.buttons = {
      before: h("button", { type: "button", onclick: () => this.turn(this.tokens.slice(0, -1)) }, "Previous"),
      after: h("button", { type: "button", onclick: () => this.turn([...this.tokens, this.next]) }, "Next"),
    };
    this.pages = h("div", { class: "pages", hidden: true }, this.where, Object.values(this.buttons));
    this.filter = h("div", { class: "launches-filter", hidden: true }, this.state);
    this.element = h("div", { class: "containers" }, this.counts, this.filter, this.table, this.pages);
  }

  head() {
    const names = ["Share", "Launch", "State", this.axis, "Ran", "Memory", "Why"];
    return h(
      "tr",
      {},
      names.map((name) => (typeof name === "string" ? h("th", { scope: "col" }, name) : name)),
    );
  }

  close() {
    clearTimeout(this.later);
    this.closed = true;
  }

  /**
   * Load the launches, and again now and then until *view* has ended.
   * @param {OrchestrationView} view
   */
  show(view) {
    this.goesOn = view.completed_at === null;
    this.load();
  }

  /**
   * Show the page of the last of *tokens*.
   * @param {(string | null)[]} tokens
   */
  turn(tokens) {
    this.tokens = tokens;
    this.load();
  }

  async load() {
    clearTimeout(this.later);
    const asked = (this.asked = {});
    const query = { state: this.state.value, limit: ROWS, next_token: this.tokens.at(-1) };
    try {
      const page = await get(`${path(this.id)}/containers`, query);
      // Whoever has turned a page meanwhile waits for that one.
      if (asked === this.asked) this.showPage(page);
    } catch (error) {
      setText(this.counts, error instanceof Error ? error.message : String(error));
    }
    if (asked === this.asked && this.goesOn && !this.closed)
      this.later = setTimeout(() => this.load(), PAUSE);
  }

  /** @param {ContainerPage} page */
  showPage(page) {
    const counts = Object.entries(page.counts).filter(([, number]) => number);
    const launches = counts.reduce((sum, [, number]) => sum + number, 0);
    const words = counts.map(([state, number]) => `${count(number)} ${state}`).join(", ");
    const all = `${count(launches)} ${launches === 1 ? "launch" : "launches"}`;
    const begun = launches ? `${all}: ${words}` : "No container has begun its share";
    const lost = page.early_loss ? `Lost before it began its share: ${page.early_loss}.` : "";
    setText(this.counts, `${begun}. ${lost}`.trim());
    this.filter.hidden = this.table.hidden = !launches;
    this.atOnce.replaceChildren(...containersAtOnce(page));
    setText(this.axis, `${moment(page.began_at)} to ${moment(page.until)}`);
    this.body.replaceChildren(...page.items.map((launch) => row(launch, page)));
    this.showPlace(
      page,
      this.state.value ? page.counts[/** @type {ContainerState} */ (this.state.value)] : launches,
    );
  }

  /**
   * @param {ContainerPage} page
   * @param {number} launches
   */
  showPlace({ items, next_token: next }, launches) {
    this.next = next;
    const first = (this.tokens.length - 1) * ROWS;
    this.pages.hidden = !next && this.tokens.length === 1;
    setText(this.where, `${count(first + 1)} to ${count(first + items.length)} of ${count(launches)}`);
    this.buttons.before.disabled = this.tokens.length === 1;
    this.buttons.after.disabled = !next;
  }
}

/**
 * @param {ContainerView} launch
 * @param {ContainerPage} page
 */
function row(launch, page) {
  const { share, launch: number, first, last, state, reason, delay, memory_mib: memory, warm } = launch;
  const instances =
    first === last ? `instance ${count(first)}` : `instances ${count(first)} to ${count(last)}`;
  const ran = span(between(launch.started_at, launch.ended_at ?? page.until));
  return h(
    "tr",
    {},
    h("th", { scope: "row", title: instances }, count(share)),
    h("td", {}, count(number)),
    h("td", {}, h("span", { class: "badge", "data-status": BADGES[state] }, state), warm ? " warm" : null),
    h("td", { class: "track" }, bar(launch, page)),
    h("td", {}, ran),
    h("td", {}, memory ? `${count(memory)} MiB` : ""),
    h("td", { class: "why" }, [reason, delay && `launched late: ${delay}`].filter(Boolean).join(". ")),
  );
}

/**
 * When a launch ran, as a part of the axis; the cells beside it say the same in words.
 * @param {ContainerView} launch
 * @param {ContainerPage} page
 */
function bar({ started_at: started, ended_at: ended, state }, { began_at: began, until }) {
  const whole = Math.max(1, between(began, until));
  const title = `${moment(started)} to ${ended ? moment(ended) : "now"}`;
  const element = h("div", { class: `launch ${state}`, title });
  element.style.setProperty("--from", `${(100 * between(began, started)) / whole}%`);
  element.style.setProperty("--length", `${(100 * between(started, ended ?? until)) / whole}%`);
  return element;
}
