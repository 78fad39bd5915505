/** Failures, grouped by what caused them: a page of causes, each of which opens to its instances. */

import { get, path } from "./api.js";
import { Cause } from "./cause.js";
import { setChildren, h, setText } from "./dom.js";
import { count, plural } from "./format.js";
import { PAGE, Pager } from "./pager.js";
import { errorNotice } from "./components.js";

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
    this.pager = new Pager("causes", () => this.load());
    this.element = h("div", {}, h("div", { class: "causes-head" }, this.note, this.pager.element), this.list);
    /** @type {Map<string, Cause>} */
    this.causes = new Map();
    this.errored = 0;
    this.backingOff = 0;
    this.isEnded = false;
    /** @type {string | null} */
    this.shown = null; // the token of the page that is shown
  }

  close() {
    clearTimeout(this.later ?? undefined);
    this.closed = true;
  }

  /**
   * Note the number of errored instances and of those that back off; group them soon if one has changed.
   * @param {number} errored
   * @param {number} backingOff
   * @param {boolean} isEnded whether the orchestration has ended, so that causes can run again
   */
  show(errored, backingOff, isEnded) {
    this.isEnded = isEnded;
    for (const cause of this.causes.values()) cause.allowRerun(isEnded);
    const isNew = errored !== this.errored || backingOff !== this.backingOff;
    this.errored = errored;
    this.backingOff = backingOff;
    if (!this.causes.size) this.showNote(0);
    if (!isNew) return;
    this.later ??= setTimeout(() => this.load(), this.pause ?? 0);
  }

  async load() {
    const [began, errored, backingOff, token] = [
      performance.now(),
      this.errored,
      this.backingOff,
      this.pager.token,
    ];
    try {
      const page = await get(`${path(this.id)}/causes`, { limit: PAGE, next_token: token });
      if (token === this.pager.token) this.group(page);
      this.shown = token;
    } catch (error) {
      // What is shown stays, unless it is not what was asked for.
      if (!this.causes.size || token !== this.shown)
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

  /** @param {CausePage} page */
  group({ failed, retrying, causes, items, next_token }) {
    const rows = items.map((cause) => {
      const row = this.causes.get(cause.cause_id) ?? new Cause(this.id);
      row.show(cause, failed + retrying);
      row.allowRerun(this.isEnded);
      return row;
    });
    // What is on no page now is built anew: a page of thousands of causes has as many nodes as one of twenty.
    this.causes = new Map(items.map(({ cause_id }, place) => [cause_id, rows[place]]));
    setChildren(
      this.list,
      rows.map((row) => row.element),
    );
    this.pager.show(items.length, causes, next_token);
    this.showNote(causes, failed, retrying);
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
