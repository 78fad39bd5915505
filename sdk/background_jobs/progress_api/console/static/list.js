/** The list of orchestrations, newest first; it asks again every now and then. */

import { get } from "./api.js";
import { arrange, h, say } from "./dom.js";
import { asked, Filters } from "./filters.js";
import { between, count, percent, plural, span } from "./format.js";
import { Badge, Bar, Moment, problem, tagList } from "./parts.js";

const PAGE = 25;
// One request brings all rows, where a stream each would take a connection each, of which browsers have six.
const SOON = 2_000;
const CALM = 10_000;
const LONGEST = 60_000;

export class ListPage {
  constructor(root, { query }) {
    this.root = root;
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
    this.seen = () => document.hidden || this.load();
    document.addEventListener("visibilitychange", this.seen);
    this.update({ query });
  }

  update({ query }) {
    this.query = query;
    this.filters.show(query);
    document.title = "Background jobs";
    this.pages.hidden = true; // what they lead to is of the list before
    this.list.setAttribute("aria-busy", "true");
    this.load();
  }

  close() {
    clearTimeout(this.later);
    this.closed = true;
    document.removeEventListener("visibilitychange", this.seen);
  }

  async load() {
    clearTimeout(this.later);
    const query = this.query;
    try {
      const page = await get("orchestrations", { ...asked(query), limit: PAGE });
      if (this.closed || query !== this.query) return;
      this.show(page);
      this.pause = page.orchestrations.some(({ status }) => status === "InProgress") ? SOON : CALM;
    } catch (error) {
      if (this.closed || query !== this.query) return;
      this.refused(error);
    }
    if (!document.hidden) this.later = setTimeout(() => this.load(), this.pause);
  }

  refused(error) {
    if (error.isLocked || error.status >= 400) {
      this.list.replaceChildren(
        h("li", {}, problem(error, error.isLocked ? null : () => go(new URLSearchParams()))),
      );
      this.rows.clear();
      this.empty.hidden = true;
      this.pause = LONGEST;
    } else {
      say(this.trouble, `${error.message} Trying again.`);
      this.pause = Math.min(LONGEST, (this.pause ?? SOON) * 1.5);
    }
  }

  show({ orchestrations, next_token }) {
    say(this.trouble, "");
    const before = this.rows;
    this.rows = new Map(
      orchestrations.map((view) => [
        view.orchestration_id,
        before.get(view.orchestration_id) ?? new Row(view),
      ]),
    );
    for (const view of orchestrations) this.rows.get(view.orchestration_id).show(view);
    arrange(
      this.list,
      Array.from(this.rows.values(), ({ element }) => element),
    );
    this.filters.offer(orchestrations.map(({ job_name }) => job_name));
    this.list.setAttribute("aria-busy", "false");
    this.showPages(next_token);
    this.empty.hidden = orchestrations.length > 0;
    if (!orchestrations.length) this.empty.replaceChildren(...nothing(this.query));
  }

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
  constructor(view) {
    this.badge = new Badge();
    this.bar = new Bar();
    this.started = new Moment();
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
        h("div", { class: "row-said" }, this.counts, this.errored),
      ),
      h("div", { class: "row-when" }, this.started.element, this.time),
    );
  }

  show(view) {
    const { counts, total, status } = view;
    const final = counts.completed + counts.errored;
    this.badge.show(status);
    this.bar.show(counts);
    this.cancelled.hidden = !view.cancelled;
    say(
      this.counts,
      status === "InProgress"
        ? `${count(final)} of ${count(total)} · ${percent(final, total)} %`
        : plural(total, "instance"),
    );
    say(this.errored, counts.errored ? `${count(counts.errored)} errored` : "");
    if (view.started_at) this.started.show(view.started_at);
    say(this.time, this.said(view));
  }

  said({ status, started_at, completed_at, eta_seconds }) {
    if (status !== "InProgress") return `took ${span(between(started_at, completed_at))}`;
    return eta_seconds === null
      ? `for ${span(between(started_at))}`
      : `${span(Math.round(eta_seconds))} to go`;
  }
}

function go(query) {
  location.hash = query.size ? `#/?${query}` : "#/";
}

function without(query, name) {
  const rest = new URLSearchParams(query);
  rest.delete(name);
  return rest;
}

function nothing(query) {
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
