/** Follows an orchestration over server-sent events: connecting, live, lost and coming back, ended. */

import { get, path, ApiError } from "./api.js";

const GRACE = 2_000; // resuming on another connection takes about a second, and is not shown
const WATCH = 30_000; // a connection can die silently; heartbeats have no listener
const LONGEST_WAIT = 2_000;
/** @typedef {"snapshot" | "transitions" | "progress" | "completed"} StreamEvent */
/** @type {StreamEvent[]} */
const EVENTS = ["snapshot", "transitions", "progress", "completed"];

export class Stream {
  /** @type {EventSource} */
  source;
  /** @type {number} */
  lastEventAt;
  /** @type {number | undefined} */
  later;
  /** @type {StreamState | undefined} */
  state;

  /**
   * Begin to follow orchestration *id*. *handlers* has `snapshot`, `transitions`, `progress` and `completed`,
   * each called with the data of the event and its version; `state`, called with the state; and `refused`.
   * A snapshot may come again; it is complete, and replaces everything before.
   * @param {string} id
   * @param {StreamHandlers} handlers
   */
  constructor(id, handlers) {
    this.id = id;
    this.handlers = handlers;
    this.version = 0;
    this.wait = 0;
    this.heedRequests = (/** @type {Event} */ event) =>
      this.noteReachable(/** @type {CustomEvent<boolean>} */ (event).detail);
    addEventListener("reachable", this.heedRequests);
    this.open("connecting");
    this.watch = setInterval(() => this.check(), WATCH);
  }

  /** @param {StreamState} state */
  open(state) {
    this.setState(state);
    this.lastEventAt = Date.now();
    this.source = new EventSource(new URL(`${path(this.id)}/events`, document.baseURI));
    this.source.onopen = () => this.noteOpen();
    this.source.onerror = () => this.handleLoss();
    for (const name of EVENTS) {
      this.source.addEventListener(name, (event) => this.receive(name, event));
    }
  }

  noteOpen() {
    this.forgetLoss();
    this.wait = 0;
    this.setState("live");
  }

  forgetLoss() {
    clearTimeout(this.later);
    this.later = undefined;
  }

  /**
   * Heed what a request found: a connection may be dead and look open.
   * @param {boolean} isReachable
   */
  noteReachable(isReachable) {
    if (!this.closed && this.source.readyState === EventSource.OPEN)
      this.setState(isReachable ? "live" : "lost");
  }

  /**
   * @param {StreamEvent} name
   * @param {MessageEvent<string>} event
   */
  receive(name, event) {
    this.lastEventAt = Date.now();
    this.version = Number.parseInt(event.lastEventId, 10);
    this.handlers[name](JSON.parse(event.data), this.version);
    if (name === "completed") this.end();
  }

  /**
   * The browser connects again by itself, with the id of the last event, unless it was refused.
   */
  handleLoss() {
    if (this.source.readyState !== EventSource.CLOSED) {
      // Each try that fails comes here as well, and must not begin the time of grace anew.
      this.later ??= setTimeout(() => this.setState("lost"), GRACE);
      return;
    }
    this.forgetLoss();
    this.setState("lost");
    this.later = setTimeout(() => this.reopen(), this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2 || 1_000);
  }

  /** Connect anew, to begin with a snapshot. A stream does not say why it was refused; a request does. */
  async reopen() {
    this.later = undefined;
    this.source.close();
    try {
      await get(path(this.id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!error.isPassing) {
        this.close();
        this.handlers.refused(error);
        return;
      }
    }
    if (!this.closed) this.open("lost");
  }

  async check() {
    if (Date.now() - this.lastEventAt < WATCH || this.source.readyState !== EventSource.OPEN) return;
    const known = this.version;
    const { version } = await get(path(this.id)).catch(() => ({ version: known }));
    if (!this.closed && this.version === known && version > known && Date.now() - this.lastEventAt >= WATCH)
      this.reopen();
  }

  end() {
    this.close();
    this.setState("ended");
  }

  close() {
    this.closed = true;
    this.source.close();
    removeEventListener("reachable", this.heedRequests);
    this.forgetLoss();
    clearInterval(this.watch);
  }

  /** @param {StreamState} state */
  setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.handlers.state(state);
  }
}
