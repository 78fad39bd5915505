/** Follows an orchestration over server-sent events: connecting, live, lost and coming back, ended. */

import { get, path, ApiError } from "./api.js";

const GRACE = 2_500; // a hand-over takes about a second, and is nothing to tell people of
const WATCH = 30_000; // a connection can die without a word; heartbeats are not listened to
const LONGEST_WAIT = 30_000;
/** @typedef {"snapshot" | "transitions" | "progress" | "completed"} StreamEvent */
/** @type {StreamEvent[]} */
const EVENTS = ["snapshot", "transitions", "progress", "completed"];

export class Stream {
  /** @type {EventSource} */
  source;
  /** @type {number} */
  heard;
  /** @type {number | undefined} */
  later;
  /** @type {StreamState | undefined} */
  state;

  /**
   * Begin to follow orchestration *id*. *handlers* has `snapshot`, `transitions`, `progress` and `completed`,
   * each called with the data of the event and its version; `state`, called with a word; and `refused`.
   * A snapshot can come again: it is the whole truth, and replaces what was known.
   * @param {string} id
   * @param {StreamHandlers} handlers
   */
  constructor(id, handlers) {
    this.id = id;
    this.handlers = handlers;
    this.version = 0;
    this.wait = 0;
    this.open("connecting");
    this.watch = setInterval(() => this.check(), WATCH);
  }

  /** @param {StreamState} state */
  open(state) {
    this.tell(state);
    this.heard = Date.now();
    this.source = new EventSource(new URL(`${path(this.id)}/events`, document.baseURI));
    this.source.onopen = () => this.opened();
    this.source.onerror = () => this.lost();
    for (const name of EVENTS) {
      this.source.addEventListener(name, (event) => this.receive(name, event));
    }
  }

  opened() {
    clearTimeout(this.later);
    this.wait = 0;
    this.tell("live");
  }

  /**
   * @param {StreamEvent} name
   * @param {MessageEvent<string>} event
   */
  receive(name, event) {
    this.heard = Date.now();
    this.version = Number.parseInt(event.lastEventId, 10);
    this.handlers[name](JSON.parse(event.data), this.version);
    if (name === "completed") this.end();
  }

  /**
   * The browser comes back by itself, with the id of the last event; unless it was refused.
   * @this {Stream}
   */
  lost() {
    clearTimeout(this.later);
    if (this.source.readyState !== EventSource.CLOSED) {
      this.later = setTimeout(() => this.tell("lost"), GRACE);
      return;
    }
    this.tell("lost");
    this.later = setTimeout(() => this.reopen(), this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2 || 1_000);
  }

  /** Connect anew; the first event will be a snapshot. A stream does not say why it was refused, so ask. */
  async reopen() {
    this.source.close();
    try {
      await get(path(this.id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status >= 400 && error.status < 500) {
        this.close();
        this.handlers.refused(error);
        return;
      }
    }
    if (!this.closed) this.open("lost");
  }

  async check() {
    if (Date.now() - this.heard < WATCH || this.source.readyState !== EventSource.OPEN) return;
    const known = this.version;
    const { version } = await get(path(this.id)).catch(() => ({ version: known }));
    if (!this.closed && this.version === known && version > known && Date.now() - this.heard >= WATCH)
      this.reopen();
  }

  end() {
    this.close();
    this.tell("ended");
  }

  close() {
    this.closed = true;
    this.source.close();
    clearTimeout(this.later);
    clearInterval(this.watch);
  }

  /** @param {StreamState} state */
  tell(state) {
    if (this.state === state) return;
    this.state = state;
    this.handlers.state(state);
  }
}
