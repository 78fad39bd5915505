/** The orchestrations that the list knows: the newest 300 that fit the API's filters, and older ones on demand. */

import { get } from "./api.js";

const AT_FIRST = 25;
const PORTION = 100;
const SEARCHABLE = 300;
const PATIENCE = 3_000; // beyond it, what is shown is no longer how things stand
const PATIENCE_FOR_OLDER = 15_000;

/** @typedef {Record<string, string | number | null | undefined>} Query */

export class Known {
  /**
   * *toQuery* returns the API's filters, as of now.
   * @param {() => Query} toQuery
   */
  constructor(toQuery) {
    this.toQuery = toQuery;
    /** @type {Map<string, OrchestrationView>} */
    this.byId = new Map();
    /** @type {string | null} */
    this.token = null;
    this.isLoaded = false;
  }

  /** The orchestrations, newest first. */
  *views() {
    yield* this.byId.values();
  }

  get size() {
    return this.byId.size;
  }

  /** Whether the API has older ones. */
  get hasMore() {
    return this.token !== null;
  }

  /**
   * Whether fewer than *wanted* are known, and the API has more.
   * @param {number} wanted
   */
  isShort(wanted) {
    return this.hasMore && this.size < wanted;
  }

  /**
   * Bring what is known up to date, and at least *wanted* of it where there are so many; *onPart* is called
   * when a first part can be shown.
   * @param {number} wanted
   * @param {() => void} onPart
   */
  async load(wanted, onPart) {
    if (this.isLoaded) await this.refresh();
    else {
      await this.append(AT_FIRST);
      this.isLoaded = true;
    }
    while (this.isShort(Math.max(wanted, SEARCHABLE))) {
      onPart();
      await this.append(PORTION);
    }
  }

  /** @param {number} limit */
  async append(limit) {
    const page = await this.ask({ limit, next_token: this.token });
    this.byId = new Map([...this.byId, ...byId(page)]);
    this.token = page.next_token;
  }

  /** Read the newest again, and those in progress; all of them, where that leaves some unknown. */
  async refresh() {
    const newest = await this.ask({ limit: AT_FIRST });
    if (!this.joins(newest)) return this.readAll();
    const changed = byId(newest);
    const running = [...this.views()].filter(
      ({ orchestration_id: id, status }) => status === "InProgress" && !changed.has(id),
    );
    if (running.length) {
      // With another status in the filters, nothing is in progress that is known.
      const found = byId(await this.ask({ limit: SEARCHABLE, status: "InProgress" }));
      if (running.some(({ orchestration_id: id }) => !found.has(id))) return this.readAll();
      for (const { orchestration_id: id } of running)
        this.byId.set(id, /** @type {OrchestrationView} */ (found.get(id)));
    }
    this.byId = new Map([...changed, ...[...this.byId].filter(([id]) => !changed.has(id))]);
    return undefined;
  }

  /**
   * Whether nothing came between *newest* and what is known, and nothing known has left the filters: what is
   * in both are the first of those that are known.
   * @param {OrchestrationPage} newest
   */
  joins(newest) {
    const ids = byId(newest);
    const known = [...this.byId.keys()];
    const kept = known.filter((id) => ids.has(id)).length;
    return (
      known.slice(0, kept).every((id) => ids.has(id)) &&
      (newest.next_token ? kept > 0 : kept === known.length)
    );
  }

  async readAll() {
    const all = new Known(this.toQuery);
    do await all.append(PORTION);
    while (all.isShort(this.size));
    [this.byId, this.token] = [all.byId, all.token];
  }

  /**
   * @param {Query} query
   * @returns {Promise<OrchestrationPage>}
   */
  ask(query) {
    return get(
      "orchestrations",
      { ...this.toQuery(), ...query },
      query.limit === AT_FIRST ? PATIENCE : PATIENCE_FOR_OLDER,
    );
  }
}

/** @param {OrchestrationPage} page */
const byId = ({ items }) => new Map(items.map((view) => [view.orchestration_id, view]));
