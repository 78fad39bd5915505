/** The list of orchestrations, newest first; it is loaded again every few seconds. */

import { ApiError, get } from "./api.js";
import { setChildren, h, setText } from "./dom.js";
import { toApiQuery, Filters } from "./filters.js";
import { between, count, percent, plural, span } from "./format.js";
import { Badge, CountsBar, TimeAgo, errorNotice, tagList } from "./components.js";

const PAGE = 25;
// One request loads all rows. A stream for each would take a connection each, and browsers have six.
const SOON = 2_000;
const CALM = 10_000;
const LONGEST = 60_000;

export class ListPage {
  /** @type {URLSearchParams} */
  query;
  /** @type {number | undefined} */
  pause;

  /**
   * @param {HTMLElement} root
   * @param {{ query: URLSearchParams }} place
   */
  constructor(root, { query }) {
    this.root = root;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.filters = new Filters((chosen) => go(chosen));
    this.list = h("ol", { class: "rows" });
    this.empty = h("div", { class: "card empty", hidden: true });
    this.trouble = h("p", { class: "note", role: "status" });
    this.newest = h("a", { class: "button" }, "Newest");
    this.older = h("a", { class: "button" }, "Older");
    this.pages = h("nav", { class: "pages", "aria-label": "Pages" }, this.newest, this.older);
    root.replaceChildren(
      h("h1", { tabindex: -1 }, "Orchestrations"),
      this.filters.element,
      this.trouble,
      this.list,
      this.empty,
      this.pages,
    );
    this.loadIfVisible = () => document.hidden || this.load();
    document.addEventListener("visibilitychange", this.loadIfVisible);
    this.update({ query });
  }

  /** @param {{ query: URLSearchParams }} place */
  update({ query }) {
    this.query = query;
    this.filters.show(query);
    document.title = "Background jobs";
    this.pages.hidden = true; // its links belong to the previous list
    this.list.setAttribute("aria-busy", "true");
    this.load();
  }

  close() {
    clearTimeout(this.later);
    this.closed = true;
    document.removeEventListener("visibilitychange", this.loadIfVisible);
  }

  async load() {
    clearTimeout(this.later);
    const query = this.query;
    try {
      const page = /** @type {OrchestrationPage} */ (
        await get("orchestrations", { ...toApiQuery(query), limit: PAGE })
      );
      if (this.closed || query !== this.query) return;
      this.show(page);
      this.pause = page.orchestrations.some(({ status }) => status === "InProgress") ? SOON : CALM;
    } catch (error) {
      if (this.closed || query !== this.query) return;
      this.showError(error);
    }
    if (!document.hidden) this.later = setTimeout(() => this.load(), this.pause);
  }

  /** @param {unknown} error */
  showError(error) {
    if (error instanceof ApiError && (error.isLocked || error.status >= 400)) {
      this.list.replaceChildren(
        h("li", {}, errorNotice(error, error.isLocked ? null : () => go(new URLSearchParams()))),
      );
      this.rows.clear();
      this.empty.hidden = true;
      this.pause = LONGEST;
    } else {
      setText(this.trouble, `${error instanceof Error ? error.message : error} Trying again.`);
      this.pause = Math.min(LONGEST, (this.pause ?? SOON) * 1.5);
    }
  }

  /** @param {OrchestrationPage} page */
  show({ orchestrations, next_token }) {
    setText(this.trouble, "");
    const before = this.rows;
    this.rows = new Map(
      orchestrations.map((view) => [
        view.orchestration_id,
        before.get(view.orchestration_id) ?? new Row(view),
      ]),
    );
    for (const view of orchestrations) this.rows.get(view.orchestration_id)?.show(view);
    setChildren(
      this.list,
      Array.from(this.rows.values(), ({ element }) => element),
    );
    this.filters.offer(orchestrations.map(({ job_name }) => job_name));
    this.list.setAttribute("aria-busy", "false");
    this.showPages(next_token);
    this.empty.hidden = orchestrations.length > 0;
    if (!orchestrations.length) this.empty.replaceChildren(...explainEmptyList(this.query));
  }

  /** @param {string | null} token */
  showPages(token) {
    this.newest.hidden = !this.query.has("page");
    this.newest.href = `#/?${without(this.query, "page")}`;
    this.older.hidden = token === null;
    const next = without(this.query, "page");
    next.set("page", token ?? "");
    this.older.href = `#/?${next}`;
    this.pages.hidden = this.newest.hidden && this.older.hidden;
  }
}

class Row {
  /** @param {OrchestrationView} view */
  constructor(view) {
    this.badge = new Badge();
    this.bar = new CountsBar();
    this.started = new TimeAgo();
    this.counts = h("span", { class: "row-counts" });
    this.errored = h("span", { class: "row-errored" });
    this.time = h("span", { class: "row-span muted" });
    this.cancelled = h("span", { class: "tag", hidden: true }, "cancelled");
    this.element = h(
      "li",
      { class: "row" },
      h(
        "div",
        { class: "row-what" },
        h("a", { class: "row-link", href: `#/orchestrations/${view.orchestration_id}` }, view.job_name),
        h(
          "div",
          { class: "tags" },
          h("code", { class: "muted" }, view.orchestration_id.slice(0, 8)),
          this.cancelled,
          ...tagList(view.tags),
        ),
      ),
      h("div", { class: "row-status" }, this.badge.element),
      h(
        "div",
        { class: "row-progress" },
        this.bar.element,
        h("div", { class: "row-text" }, this.counts, this.errored),
      ),
      h("div", { class: "row-when" }, this.started.element, this.time),
    );
  }

  /** @param {OrchestrationView} view */
  show(view) {
    const { counts, total, status } = view;
    const final = counts.completed + counts.errored;
    this.badge.show(status);
    this.bar.show(counts);
    this.cancelled.hidden = !view.cancelled;
    setText(
      this.counts,
      status === "InProgress"
        ? `${count(final)} of ${count(total)} · ${percent(final, total)} %`
        : plural(total, "instance"),
    );
    setText(this.errored, counts.errored ? `${count(counts.errored)} errored` : "");
    if (view.started_at) this.started.show(view.started_at);
    setText(this.time, this.duration(view));
  }

  /** @param {OrchestrationView} view */
  duration({ status, started_at, completed_at, eta_seconds }) {
    if (started_at === null) return "";
    if (status !== "InProgress") return `took ${span(between(started_at, completed_at))}`;
    return eta_seconds === null
      ? `for ${span(between(started_at))}`
      : `${span(Math.round(eta_seconds))} to go`;
  }
}

/** @param {URLSearchParams} query */
function go(query) {
  location.hash = query.size ? `#/?${query}` : "#/";
}

/**
 * @param {URLSearchParams} query
 * @param {string} name
 */
function without(query, name) {
  const rest = new URLSearchParams(query);
  rest.delete(name);
  return rest;
}

/** @param {URLSearchParams} query */
function explainEmptyList(query) {
  if (query.size)
    return [
      h("h2", {}, "No orchestration fits these filters"),
      h("button", { type: "button", onclick: () => go(new URLSearchParams()) }, "Clear the filters"),
    ];
  return [
    h("h2", {}, "Nothing was kicked off yet"),
    h("p", { class: "muted" }, "An orchestration shows up here as soon as it is:"),
    h("pre", {}, 'OrchestrationService().kick_off_job("process_batch", [{"customer": "acme"}])'),
  ];
}
