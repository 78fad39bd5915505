/** Failures, grouped by what caused them; each group opens to its instances, with params and traceback. */

import { get, path } from "./api.js";
import { arrange, h, say } from "./dom.js";
import { count, plural } from "./format.js";
import { icon, listing, problem } from "./parts.js";

const CALM = 10; // grouping reads every failure, so it may take a tenth of the time at most
const SHORTEST_PAUSE = 1_000;

export class Failures {
  constructor(id) {
    this.id = id;
    this.note = h("p", { class: "muted" });
    this.list = h("ol", { class: "causes" });
    this.element = h("div", {}, this.note, this.list);
    this.causes = new Map();
    this.errored = 0;
    this.say(0);
  }

  close() {
    clearTimeout(this.later);
    this.closed = true;
  }

  /** Note that *errored* instances errored by now, and group them soon, if they are more than before. */
  show(errored) {
    if (errored === this.errored) return;
    this.errored = errored;
    if (!this.causes.size) this.say(0);
    this.later ??= setTimeout(() => this.load(), this.pause ?? 0);
  }

  async load() {
    const [began, errored] = [performance.now(), this.errored];
    try {
      this.group((await get(`${path(this.id)}/causes`)).causes);
    } catch (error) {
      if (!this.causes.size)
        this.list.replaceChildren(
          h(
            "li",
            {},
            problem(error, () => this.load()),
          ),
        );
    }
    this.pause = Math.max(SHORTEST_PAUSE, CALM * (performance.now() - began));
    this.later = null;
    if (errored !== this.errored && !this.closed) this.later = setTimeout(() => this.load(), this.pause);
  }

  group(causes) {
    const total = causes.reduce((sum, cause) => sum + cause.count, 0);
    const rows = causes.map((cause) => {
      const key = JSON.stringify([cause.type, cause.place, cause.indices[0]]);
      if (!this.causes.has(key)) this.causes.set(key, new Cause(this.id));
      const row = this.causes.get(key);
      row.show(cause, total);
      return row.element;
    });
    arrange(this.list, rows);
    this.say(causes.length, total);
  }

  say(causes, total) {
    const none = this.errored ? "Looking for what they have in common …" : "No instance has errored.";
    say(this.note, causes ? `${plural(total, "failure")}, ${plural(causes, "cause")}` : none);
  }
}

class Cause {
  constructor(id) {
    this.id = id;
    this.count = h("span", { class: "cause-count" });
    this.type = h("span", { class: "cause-type" });
    this.message = h("span", { class: "cause-message" });
    this.place = h("span", { class: "cause-place muted" });
    this.common = h("span", { class: "cause-common muted" });
    this.share = h("span", { class: "cause-share", "aria-hidden": "true" });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Instances with this cause" });
    this.detail = h("div", { class: "cause-detail" });
    this.details = h(
      "details",
      { ontoggle: () => this.toggled() },
      h(
        "summary",
        {},
        icon("right"),
        this.count,
        h("span", { class: "cause-text" }, this.type, this.message, this.common, this.place),
        this.share,
      ),
      h("div", { class: "cause-body" }, this.chips, this.detail),
    );
    this.element = h("li", { class: "cause" }, this.details);
  }

  show(cause, total) {
    this.cause = cause;
    say(this.count, count(cause.count));
    say(this.type, cause.type);
    say(this.message, cause.message);
    say(this.place, cause.place);
    say(this.common, cause.common.length ? `always has ${cause.common.map(shared).join(", ")}` : "");
    this.share.style.setProperty("--share", `${(100 * cause.count) / total}%`);
    if (this.details.open) this.showChips();
  }

  toggled() {
    if (!this.details.open || this.shown !== undefined) return;
    this.showChips();
    this.pick(this.cause.indices[0]);
  }

  showChips() {
    const { indices, count: all } = this.cause;
    const chips = indices.map((index) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(index === this.shown),
          onclick: () => this.pick(index),
        },
        count(index),
      ),
    );
    const rest = all - indices.length;
    this.chips.replaceChildren(
      h("span", { class: "muted" }, "Instances"),
      ...chips,
      rest ? h("span", { class: "muted" }, `and ${count(rest)} more`) : "",
    );
  }

  async pick(index) {
    this.shown = index;
    for (const chip of this.chips.querySelectorAll("button"))
      chip.setAttribute("aria-pressed", String(chip.textContent === count(index)));
    try {
      const { params, error } = await get(`${path(this.id)}/instances/${index}`);
      if (this.shown === index) this.detail.replaceChildren(...this.explained(index, params, error));
    } catch (error) {
      this.detail.replaceChildren(problem(error, () => this.pick(index)));
    }
  }

  explained(index, params, error) {
    return [
      h("h4", {}, "Params"),
      listing(params, `Params of instance ${index}`),
      h("h4", {}, "Error"),
      listing(
        error.traceback.trimEnd() || `${error.type}: ${error.message}`,
        `Traceback of instance ${index}`,
      ),
      h(
        "p",
        {},
        h("a", { href: `#/${path(this.id)}/instances/${index}` }, `All of instance ${count(index)}`),
      ),
    ];
  }
}

/** A param that all failures of a cause share, and how many instances have it at all. */
const shared = ({ name, value, instances }) => `${name}=${value} (as have ${count(instances)} in all)`;
