/** What containers wrote, as text that goes on while they do. */

import { get } from "./api.js";
import { errorNotice, icon } from "./components.js";
import { h, setText } from "./dom.js";
import { clock, count, moment, plural } from "./format.js";

const MOST_LINES = 2_000;
const PAGE = 500;
const SOON = 2_000;
const LATE = 30_000;
const AT_THE_END = 8;

export class LogView {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  timer;

  /**
   * Make a view of what the route *where* answers, which asks nothing yet. *isOver()* tells whether no more is
   * to come, *command* prints all lines, and *linkTo(index)* is the address of an instance's page, if lines are
   * of several.
   * @param {string} where
   * @param {{ isOver: () => boolean, command: string, linkTo?: (index: number) => string }} options
   */
  constructor(where, options) {
    this.where = where;
    this.options = options;
    this.token = "";
    this.run = 0;
    this.lines = h("div", { class: "log-lines", tabindex: 0, role: "region", "aria-label": "Log" });
    this.state = h("p", { class: "muted log-state" });
    this.own = h("input", { type: "checkbox", onchange: () => this.open() });
    this.cloudwatch = h(
      "a",
      { hidden: true, target: "_blank", rel: "noopener noreferrer" },
      "Open in CloudWatch",
    );
    this.problem = h("div");
    this.element = h(
      "div",
      { class: "log" },
      this.lines,
      h(
        "div",
        { class: "log-foot" },
        this.state,
        h("label", { class: "log-own" }, this.own, "Lines of the SDK"),
        this.cloudwatch,
      ),
      this.problem,
    );
  }

  /** Read the last lines, and then what follows until `close`. */
  open() {
    this.close();
    this.token = "";
    this.lines.replaceChildren();
    this.problem.replaceChildren();
    setText(this.state, "Loading …");
    this.read(this.run, SOON);
  }

  close() {
    this.run += 1;
    clearTimeout(this.timer);
  }

  /**
   * Read a page; answers to a *run* that was closed meanwhile are dropped.
   * @param {number} run
   * @param {number} wait milliseconds until the next page is asked for, unless there is more already
   */
  async read(run, wait) {
    const wasOver = this.options.isOver();
    try {
      const query = { next_token: this.token, limit: PAGE, everything: this.own.checked ? "true" : "" };
      /** @type {LogPage} */
      const page = await get(this.where, query);
      if (run !== this.run) return;
      this.problem.replaceChildren();
      this.show(page, wasOver);
      if (page.more) this.read(run, SOON);
      else if (!wasOver) this.later(run, SOON);
    } catch (error) {
      if (run !== this.run) return;
      setText(this.state, "Not up to date");
      this.problem.replaceChildren(errorNotice(error, () => this.open()));
      this.later(run, Math.min(LATE, 2 * wait));
    }
  }

  /**
   * @param {number} run
   * @param {number} wait
   */
  later(run, wait) {
    this.timer = setTimeout(() => (document.hidden ? this.later(run, wait) : this.read(run, wait)), wait);
  }

  /**
   * @param {LogPage} page
   * @param {boolean} isOver
   */
  show(page, isOver) {
    const isFirst = !this.token;
    this.token = page.next_token;
    if (isFirst && (page.cut || page.left_out)) this.lines.append(this.note(page));
    const { scrollTop, scrollHeight, clientHeight } = this.lines;
    const wasAtEnd = isFirst || scrollTop + clientHeight >= scrollHeight - AT_THE_END;
    this.lines.append(...page.lines.map((line) => this.line(line)));
    if (wasAtEnd) {
      // Whoever reads further up keeps all lines, so that nothing moves.
      while (this.lines.childElementCount > MOST_LINES) this.lines.firstElementChild?.remove();
      this.lines.scrollTop = this.lines.scrollHeight;
    }
    const isEmpty = !this.lines.childElementCount;
    this.lines.classList.toggle("none", isEmpty);
    setText(this.state, page.missing[0] ?? summarize(isEmpty, isOver));
    this.cloudwatch.hidden = !page.cloudwatch_url;
    if (page.cloudwatch_url) this.cloudwatch.setAttribute("href", page.cloudwatch_url);
  }

  /** @param {LogPage} page */
  note({ left_out }) {
    const which = left_out ? ` and the logs of ${plural(left_out, "earlier container")}` : "";
    return h(
      "p",
      { class: "log-note muted" },
      `Earlier lines${which} are left out. All of them: `,
      h("code", {}, this.options.command),
    );
  }

  /** @param {LogLine} line */
  line({ at, index, level, message, extra }) {
    const added = Object.entries(extra).map(([name, value]) => ` ${name}=${asText(value)}`);
    const { linkTo } = this.options;
    return h(
      "div",
      { class: "log-line", "data-level": level || null },
      h("time", { datetime: at, title: at ? moment(at) : null }, at ? clock(at) : ""),
      linkTo
        ? index === null
          ? h("span", { class: "log-index" })
          : h(
              "a",
              { class: "log-index", href: linkTo(index), title: `Instance ${count(index)}` },
              String(index),
            )
        : null,
      h("span", { class: "log-text" }, message + added.join("")),
    );
  }
}

/**
 * A card with a log, which is read while the card is open.
 * @param {LogView} view
 */
export function logCard(view) {
  const card = h(
    "details",
    { class: "card log-card" },
    h("summary", {}, icon("right"), h("h2", {}, "Log")),
    view.element,
  );
  card.addEventListener("toggle", () => (card.open ? view.open() : view.close()));
  return card;
}

/**
 * @param {boolean} isEmpty
 * @param {boolean} isOver
 */
function summarize(isEmpty, isOver) {
  if (isOver) return isEmpty ? "Nothing was written." : "All that was written.";
  return isEmpty ? "Nothing was written yet; new lines appear here." : "New lines appear here.";
}

/** @param {unknown} value */
const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));
