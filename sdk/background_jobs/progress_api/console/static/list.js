/** The list of orchestrations, newest first; it is loaded again every few seconds. */

import { ApiError } from "./api.js";
import { stopClock } from "./clock.js";
import { Connection, errorNotice } from "./components.js";
import { h, setChildren } from "./dom.js";
import { Filters, rememberList, toApiQuery } from "./filters.js";
import { Known } from "./known.js";
import { Row } from "./rows.js";
import { findEntries } from "./search.js";
import { Strip } from "./strip.js";

const PAGE = 25;
// A stream for each row would take a connection each, and browsers have six.
const PAUSE = 1_500;
const COUNT_EVERY = 4;
const LOCKED = 60_000;

export class ListPage {
  /** @type {URLSearchParams} */
  query;
  /** @type {number | undefined} */
  later;
  /** @type {Known} */
  known;
  /** @type {string | undefined} */
  asked;

  /**
   * @param {HTMLElement} root
   * @param {{ query: URLSearchParams }} place
   */
  constructor(root, { query }) {
    this.root = root;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.rounds = 0;
    this.filters = new Filters((chosen, isTyping) => (isTyping ? this.type(chosen) : go(chosen)));
    this.connection = new Connection();
    this.strip = new Strip();
    this.list = h("ol", { class: "rows" });
    this.empty = h("div", { class: "card empty", hidden: true });
    this.place = h("span", { class: "muted", role: "status" });
    this.newer = h("a", { class: "button" }, "Newer");
    this.older = h("a", { class: "button" }, "Older");
    this.pages = h("nav", { class: "pages", "aria-label": "Pages" }, this.place, this.newer, this.older);
    root.replaceChildren(
      h(
        "div",
        { class: "overview-title" },
        h("h1", { tabindex: -1 }, "Orchestrations"),
        this.connection.element,
      ),
      this.strip.element,
      this.filters.element,
      this.list,
      this.empty,
      this.pages,
    );
    this.loadIfVisible = () => document.hidden || this.load();
    document.addEventListener("visibilitychange", this.loadIfVisible);
    this.connection.show("connecting");
    this.update({ query });
  }

  /** @param {{ query: URLSearchParams }} place */
  update({ query }) {
    this.query = query;
    rememberList(query);
    this.filters.show(query);
    this.strip.mark(query);
    document.title = "Background jobs";
    const asked = JSON.stringify(toApiQuery(query, 0));
    if (asked !== this.asked) {
      this.asked = asked;
      this.known = new Known(() => toApiQuery(this.query));
      this.rows.clear();
      this.pages.hidden = true; // its links belong to the previous list
      this.list.setAttribute("aria-busy", "true");
      this.load();
    } else {
      this.show();
      if (this.known.isShort(this.page * PAGE)) this.load();
    }
  }

  /**
   * Search while somebody types: the address follows, without an entry in the browser's history for each key.
   * @param {URLSearchParams} query
   */
  type(query) {
    history.replaceState(null, "", query.size ? `#/?${query}` : "#/");
    this.update({ query });
  }

  get page() {
    return Math.max(1, Number.parseInt(this.query.get("page") ?? "", 10) || 1);
  }

  close() {
    clearTimeout(this.later);
    this.closed = true;
    stopClock(false);
    document.removeEventListener("visibilitychange", this.loadIfVisible);
  }

  async load() {
    clearTimeout(this.later);
    const { known } = this;
    let pause = PAUSE;
    try {
      await known.load(this.page * PAGE, () => known === this.known && this.show());
      if (this.closed || known !== this.known) return;
      this.connect("live");
      this.show();
      if (this.rounds++ % COUNT_EVERY === 0) await this.strip.load();
    } catch (error) {
      if (this.closed || known !== this.known) return;
      pause = this.showError(error);
    }
    if (this.closed || known !== this.known) return;
    clearTimeout(this.later);
    if (!document.hidden) this.later = setTimeout(() => this.load(), pause);
  }

  /** @param {"live" | "lost"} state */
  connect(state) {
    stopClock(state === "lost");
    this.connection.show(state);
  }

  /**
   * Show a refusal, or the loss of the API, and return when to try again.
   * @param {unknown} error
   */
  showError(error) {
    const refusal = error instanceof ApiError && !error.isPassing ? error : null;
    if (!refusal) {
      this.rounds = 0;
      this.connect("lost");
      return PAUSE;
    }
    if (refusal.isSignedOut) {
      this.close();
      this.root.replaceChildren(errorNotice(refusal));
      return PAUSE;
    }
    this.connection.show("ended");
    this.list.replaceChildren(
      h("li", {}, errorNotice(refusal, refusal.isLocked ? null : () => go(new URLSearchParams()))),
    );
    this.rows.clear();
    this.empty.hidden = true;
    return LOCKED;
  }

  /** Show what is known, as the search and the page in the address choose of it. */
  show() {
    const { known, query } = this;
    if (!known.isLoaded) return;
    const entries = findEntries(known.views(), query.get("search") ?? "", query.get("status") ?? "");
    const last = Math.max(1, Math.ceil(entries.length / PAGE));
    const page = Math.min(this.page, last);
    const shown = entries.slice((page - 1) * PAGE, page * PAGE);
    setChildren(
      this.list,
      shown.map(([key, entry]) => this.row(key, entry)),
    );
    this.filters.offer(Array.from(known.views(), ({ job_name }) => job_name));
    this.list.setAttribute("aria-busy", "false");
    this.showPages(page, shown.length, entries.length, known.hasMore);
    this.empty.hidden = entries.length > 0;
    if (!entries.length) this.empty.replaceChildren(...explainEmptyList(query, known));
  }

  /**
   * Return the row of an entry; rows are kept, for a search shows and hides them with every key.
   * @param {string} key
   * @param {OrchestrationView[]} entry
   */
  row(key, entry) {
    const row = this.rows.get(key) ?? new Row(entry[0]);
    this.rows.set(key, row);
    row.show(entry);
    return row.element;
  }

  /**
   * Say which part of the list is shown, and lead to the parts beside it.
   * @param {number} page
   * @param {number} shown
   * @param {number} all
   * @param {boolean} hasMore
   */
  showPages(page, shown, all, hasMore) {
    const first = (page - 1) * PAGE;
    const more = hasMore ? ", and older ones" : "";
    this.place.textContent = shown ? `${first + 1} to ${first + shown} of ${all}${more}` : "";
    this.newer.hidden = page === 1;
    this.newer.href = `#/?${atPage(this.query, page - 1)}`;
    this.older.hidden = first + shown >= all && !hasMore;
    this.older.href = `#/?${atPage(this.query, page + 1)}`;
    this.pages.hidden = all === 0;
  }
}

/** @param {URLSearchParams} query */
function go(query) {
  location.hash = query.size ? `#/?${query}` : "#/";
}

/**
 * @param {URLSearchParams} query
 * @param {number} page
 */
function atPage(query, page) {
  const rest = new URLSearchParams(query);
  rest.delete("page");
  if (page > 1) rest.set("page", String(page));
  return rest;
}

/**
 * @param {URLSearchParams} query
 * @param {Known} known
 */
function explainEmptyList(query, known) {
  const clear = () => go(new URLSearchParams());
  if (query.size)
    return [
      h("h2", {}, "No orchestration fits these filters"),
      known.hasMore
        ? h(
            "p",
            { class: "muted" },
            `Among the newest ${known.size}; a time or a job name reaches older ones.`,
          )
        : null,
      h("button", { type: "button", onclick: clear }, "Clear the filters"),
    ].filter((child) => child !== null);
  return [
    h("h2", {}, "Nothing was kicked off yet"),
    h("p", { class: "muted" }, "An orchestration shows up here as soon as it is:"),
    h("pre", {}, 'OrchestrationService().kick_off_job("process_batch", [{"customer": "acme"}])'),
  ];
}
