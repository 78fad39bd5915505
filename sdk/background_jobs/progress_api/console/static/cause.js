/** One cause of failures: how many it has, a page of its instances, one of them in detail, and its rerun. */

import { get, path } from "./api.js";
import { h, setText } from "./dom.js";
import { count, plural } from "./format.js";
import { PAGE, Pager } from "./pager.js";
import { rerun } from "./rerun.js";
import { icon, codeBlock, errorNotice } from "./components.js";

export class Cause {
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
    this.repaired = h("span", { class: "cause-repaired" });
    this.share = h("span", { class: "cause-share", "aria-hidden": "true" });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Instances with this cause" });
    this.pager = new Pager("instances", (token) => this.turn(token));
    this.detail = h("div", { class: "cause-detail" });
    this.rerun = h(
      "button",
      {
        type: "button",
        class: "off operators-only",
        onclick: () => rerun(this.id, { cause: this.cause.cause_id }),
      },
      icon("rerun"),
      "Rerun",
    );
    this.details = h("details", { ontoggle: () => this.open() }, this.summary());
    this.element = h("li", { class: "cause" }, this.details, this.rerun);
  }

  summary() {
    const text = [this.type, this.retrying, this.message, this.common, this.place, this.repaired];
    return h("summary", {}, icon("right"), this.count, h("span", { class: "cause-text" }, text), this.share);
  }

  /**
   * @param {FailureCause} cause
   * @param {number} total
   */
  show(cause, total) {
    this.cause = cause;
    const { type, message, place, common, repaired } = cause;
    this.showCount();
    setText(this.type, type);
    setText(this.message, message);
    setText(this.place, place);
    setText(this.common, common.length ? `always has ${common.map(describeShared).join(", ")}` : "");
    setText(
      this.repaired,
      repaired ? `${count(repaired)} of ${count(cause.count)} completed in a rerun` : "",
    );
    this.rerun.setAttribute("aria-label", `Rerun the ${plural(cause.count, "failure")} of ${type}`);
    this.share.style.setProperty("--share", `${(100 * this.instances) / total}%`);
    if (this.details.open && this.pager.token === null) this.turn(null);
  }

  /** The instances that failed for it: those that gave up, and those that wait for another attempt. */
  get instances() {
    return this.cause.count + this.cause.retrying;
  }

  showCount() {
    const { count: gaveUp, retrying } = this.cause;
    setText(this.count, count(this.instances));
    this.count.classList.toggle("only-retrying", gaveUp === 0);
    this.retrying.hidden = retrying === 0;
    setText(
      this.retrying,
      gaveUp ? `${count(retrying)} of them retrying` : "retrying: another attempt follows",
    );
  }

  /**
   * Offer the rerun once all is final; the button has its place before, so that nothing moves.
   * @param {boolean} isEnded
   */
  allowRerun(isEnded) {
    this.rerun.classList.toggle("off", !isEnded);
  }

  /** Build the body, and show the first instance, when somebody opens the cause. */
  open() {
    if (!this.details.open || this.openIndex !== undefined) return;
    this.details.append(
      h(
        "div",
        { class: "cause-body" },
        h("div", { class: "cause-instances" }, this.chips, this.pager.element),
        this.detail,
      ),
    );
    this.turn(null);
    this.pick(this.cause.indices[0]);
  }

  /**
   * @param {number[]} indices
   * @param {string | null} next
   */
  showChips(indices, next) {
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
    this.chips.replaceChildren(h("span", { class: "muted" }, "Instances"), ...chips);
    this.pager.show(indices.length, this.instances, next);
  }

  /** @param {string | null} token */
  async turn(token) {
    // The cause names its first instances, which are all of them where they are few.
    if (this.instances <= this.cause.indices.length) return this.showChips(this.cause.indices, null);
    try {
      const page = await get(`${path(this.id)}/instances`, {
        cause: this.cause.cause_id,
        next_token: token,
        limit: PAGE,
      });
      if (token !== this.pager.token) return undefined;
      return this.showChips(
        page.items.map((/** @type {{ index: number }} */ { index }) => index),
        page.next_token,
      );
    } catch (error) {
      return this.detail.replaceChildren(errorNotice(error, () => this.turn(token)));
    }
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
  `${name}=${typeof value === "string" ? value : JSON.stringify(value)} (as have ${count(instances)} in all)`;
