/** Failures, grouped by what caused them; each group opens to its instances, with params and traceback. */

import { get, path } from "./api.js";
import { setChildren, h, setText } from "./dom.js";
import { count, plural } from "./format.js";
import { icon, codeBlock, errorNotice } from "./components.js";

const CALM = 10; // grouping reads all failures, so it may use a tenth of the time at most
const SHORTEST_PAUSE = 1_000;

export class Failures {
  /** @type {number | null | undefined} */
  later;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.note = h("p", { class: "muted" });
    this.list = h("ol", { class: "causes" });
    this.element = h("div", {}, this.note, this.list);
    /** @type {Map<string, Cause>} */
    this.causes = new Map();
    this.errored = 0;
    this.backingOff = 0;
    this.showNote(0);
  }

  close() {
    clearTimeout(this.later ?? undefined);
    this.closed = true;
  }

  /**
   * Note the number of errored instances and of those that back off; group them soon if one has changed.
   * @param {number} errored
   * @param {number} backingOff
   */
  show(errored, backingOff) {
    if (errored === this.errored && backingOff === this.backingOff) return;
    this.errored = errored;
    this.backingOff = backingOff;
    if (!this.causes.size) this.showNote(0);
    this.later ??= setTimeout(() => this.load(), this.pause ?? 0);
  }

  async load() {
    const [began, errored, backingOff] = [performance.now(), this.errored, this.backingOff];
    try {
      this.group(await get(`${path(this.id)}/causes`));
    } catch (error) {
      if (!this.causes.size)
        this.list.replaceChildren(
          h(
            "li",
            {},
            errorNotice(error, () => this.load()),
          ),
        );
    }
    this.pause = Math.max(SHORTEST_PAUSE, CALM * (performance.now() - began));
    this.later = null;
    if ((errored !== this.errored || backingOff !== this.backingOff) && !this.closed)
      this.later = setTimeout(() => this.load(), this.pause);
  }

  /** @param {FailureDigest} digest */
  group({ failed, retrying, causes, more_causes }) {
    const rows = causes.map((cause) => {
      const key = JSON.stringify([cause.type, cause.place, cause.indices[0]]);
      const row = this.causes.get(key) ?? new Cause(this.id);
      this.causes.set(key, row);
      row.show(cause, failed + retrying);
      return row.element;
    });
    setChildren(this.list, rows);
    this.showNote(causes.length + more_causes, failed, retrying);
  }

  /**
   * Say how many failures and causes there are.
   * @param {number} causes
   * @param {number} [total]
   * @param {number} [retrying]
   */
  showNote(causes, total = 0, retrying = 0) {
    const none =
      this.errored || this.backingOff ? "Looking for what they have in common …" : "No instance has errored.";
    const again = retrying ? ` and ${count(retrying)} retrying` : "";
    setText(this.note, causes ? `${plural(total, "failure")}${again}, ${plural(causes, "cause")}` : none);
  }
}

class Cause {
  /** @type {FailureCause} */
  cause;
  /** @type {number | undefined} */
  openIndex;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.count = h("span", { class: "cause-count" });
    this.type = h("span", { class: "cause-type" });
    this.retrying = h("span", { class: "cause-retrying", hidden: true });
    this.message = h("span", { class: "cause-message" });
    this.place = h("span", { class: "cause-place muted" });
    this.common = h("span", { class: "cause-common muted" });
    this.share = h("span", { class: "cause-share", "aria-hidden": "true" });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Instances with this cause" });
    this.detail = h("div", { class: "cause-detail" });
    this.details = h(
      "details",
      { ontoggle: () => this.showFirst() },
      h(
        "summary",
        {},
        icon("right"),
        this.count,
        h("span", { class: "cause-text" }, this.type, this.retrying, this.message, this.common, this.place),
        this.share,
      ),
      h("div", { class: "cause-body" }, this.chips, this.detail),
    );
    this.element = h("li", { class: "cause" }, this.details);
  }

  /**
   * @param {FailureCause} cause
   * @param {number} total
   */
  show(cause, total) {
    this.cause = cause;
    const instances = cause.count + cause.retrying;
    setText(this.count, count(instances));
    this.count.classList.toggle("only-retrying", cause.count === 0);
    this.retrying.hidden = cause.retrying === 0;
    setText(
      this.retrying,
      cause.count ? `${count(cause.retrying)} of them retrying` : "retrying: another attempt follows",
    );
    setText(this.type, cause.type);
    setText(this.message, cause.message);
    setText(this.place, cause.place);
    setText(
      this.common,
      cause.common.length ? `always has ${cause.common.map(describeShared).join(", ")}` : "",
    );
    this.share.style.setProperty("--share", `${(100 * instances) / total}%`);
    if (this.details.open) this.showChips();
  }

  /** Show the first instance when somebody opens the cause. */
  showFirst() {
    if (!this.details.open || this.openIndex !== undefined) return;
    this.showChips();
    this.pick(this.cause.indices[0]);
  }

  showChips() {
    const { indices } = this.cause;
    const all = this.cause.count + this.cause.retrying;
    const chips = indices.map((index) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(index === this.openIndex),
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

  /** @param {number} index */
  async pick(index) {
    this.openIndex = index;
    for (const chip of this.chips.querySelectorAll("button"))
      chip.setAttribute("aria-pressed", String(chip.textContent === count(index)));
    try {
      const detail = /** @type {InstanceDetail} */ (await get(`${path(this.id)}/instances/${index}`));
      const error = detail.error ?? lastAttempt(detail);
      if (this.openIndex === index) this.detail.replaceChildren(...this.explain(index, detail.params, error));
    } catch (error) {
      this.detail.replaceChildren(errorNotice(error, () => this.pick(index)));
    }
  }

  /**
   * @param {number} index
   * @param {unknown} params
   * @param {JobError} error
   */
  explain(index, params, error) {
    return [
      h("h4", {}, "Params"),
      codeBlock(params, `Params of instance ${index}`),
      h("h4", {}, "Error"),
      codeBlock(
        error.traceback.trimEnd() || [error.type, error.message].filter(Boolean).join(": "),
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

/**
 * Return the error of the latest attempt of an instance that has not given up.
 * @param {InstanceDetail} detail
 * @returns {JobError}
 */
function lastAttempt({ events }) {
  const failed = events.findLast(({ type }) => type === "JobAttemptFailed");
  return { type: "", message: failed?.detail ?? "It runs again by now.", traceback: failed?.traceback ?? "" };
}

/**
 * A param that all failures of a cause share, and the number of all instances that have it.
 * @param {ParamInCommon} param
 */
const describeShared = ({ name, value, instances }) =>
  `${name}=${value} (as have ${count(instances)} in all)`;
