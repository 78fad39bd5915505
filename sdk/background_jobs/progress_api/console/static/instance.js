/** The panel of one instance: its state, params, result or error, attempts and events. */

import { get, path } from "./api.js";
import { getCaller } from "./caller.js";
import { h, setText } from "./dom.js";
import { between, count, span, stamp } from "./format.js";
import { copyButton, icon, codeBlock, errorNotice } from "./components.js";
import { LogView } from "./logs.js";

/** @type {Record<string, string>} */
const WORDS = {
  JobStarted: "Attempt began",
  JobProgressed: "Progress",
  JobAttemptFailed: "Attempt failed, another follows",
  JobCompleted: "Completed",
  JobErrored: "Errored",
};
const CALM = 500;

export class InstancePanel {
  /** @type {number} */
  index;
  /** @type {import("./instances.js").Instances} */
  instances;
  /** @type {HTMLDialogElement} */
  element;
  /** @type {LogView | undefined} */
  logView;
  isFinal = false;

  /**
   * Make a closed panel of orchestration *id*; *onClose* is called when somebody closes it.
   * @param {string} id
   * @param {() => void} onClose
   */
  constructor(id, onClose) {
    this.id = id;
    this.title = h("h2", { id: "instance-title", tabindex: -1, autofocus: true });
    this.state = h("span", { class: "badge" });
    this.previous = neighbour("Previous instance", "left");
    this.following = neighbour("Next instance", "right");
    this.details = h("div", { class: "panel-part" });
    this.log = h("div", { class: "panel-part" });
    this.events = h("div", { class: "panel-part" });
    this.body = h("div", { class: "panel-body" }, this.details, this.log, this.events);
    this.element = h(
      "dialog",
      {
        class: "panel",
        "aria-labelledby": "instance-title",
        onclose: () => {
          this.logView?.close();
          onClose();
        },
        onclick: (event) => this.closeIfOutside(event),
      },
      h(
        "header",
        { class: "panel-head" },
        this.title,
        this.state,
        h("span", { class: "grow" }),
        this.previous,
        this.following,
        h(
          "button",
          { type: "button", class: "quiet", "aria-label": "Close", onclick: () => this.element.close() },
          icon("cross"),
        ),
      ),
      this.body,
    );
  }

  /** @param {MouseEvent} event */
  closeIfOutside(event) {
    if (event.target === this.element) this.element.close();
  }

  /**
   * Open the panel with instance *index* of *instances*.
   * @param {number} index
   * @param {import("./instances.js").Instances} instances
   */
  open(index, instances) {
    this.index = index;
    this.instances = instances;
    if (!this.element.open) this.element.showModal();
    for (const part of [this.details, this.log, this.events]) part.replaceChildren();
    this.element.scrollTop = 0;
    this.isFinal = false;
    this.load();
    this.openLog(index);
  }

  close() {
    this.logView?.close();
    if (this.element.open) this.element.close();
  }

  /** @param {number} index */
  openLog(index) {
    this.logView?.close();
    this.logView = new LogView(`${path(this.id)}/instances/${index}/logs`, {
      isOver: () => this.isFinal,
      command: `background-jobs logs ${this.id} ${index}`,
    });
    this.log.replaceChildren(section("Log", this.logView.element));
    this.logView.open();
  }

  /**
   * Note that instances moved or progressed; if this one is among them, load it again.
   * @param {number[]} indices
   */
  refresh(indices) {
    if (!this.element.open || !indices.includes(this.index) || this.later) return;
    this.later = setTimeout(() => this.load(), CALM);
  }

  async load() {
    this.later = null;
    const index = this.index;
    setText(this.title, `Instance ${count(index)}`);
    this.setTarget(this.previous, index - 1);
    this.setTarget(this.following, index + 1);
    try {
      const detail = await get(`${path(this.id)}/instances/${index}`);
      if (index === this.index) this.show(detail);
    } catch (error) {
      this.details.replaceChildren(errorNotice(error, () => this.load()));
    }
  }

  /**
   * @param {HTMLAnchorElement} link
   * @param {number} index
   */
  setTarget(link, index) {
    const isThere = index >= 0 && index < this.instances.total;
    link.classList.toggle("off", !isThere);
    if (isThere) link.setAttribute("href", `#/${path(this.id)}/instances/${index}`);
    else link.removeAttribute("href");
  }

  /** @param {InstanceDetail} detail */
  show(detail) {
    const { instance, params, result, error, events, later_events } = detail;
    this.isFinal = instance.state === "Completed" || instance.state === "Errored";
    this.state.dataset.status = instance.state;
    setText(this.state, instance.state);
    const sections = [
      this.facts(detail),
      instance.state === "running" ? this.progress(events) : null,
      error
        ? section(
            "Error",
            h("p", { class: "error-line" }, `${error.type}: ${error.message}`),
            error.traceback ? codeBlock(error.traceback.trimEnd(), "Traceback") : null,
          )
        : null,
      section(
        "Params",
        codeBlock(params, "Params"),
        againLink(`#/${path(this.id)}/instances/${instance.index}/kick-off`),
      ),
      instance.state === "Completed" ? section("Result", codeBlock(result, "Result")) : null,
    ];
    this.details.replaceChildren(...sections.filter((section) => section !== null));
    this.events.replaceChildren(
      section(
        "Events",
        events.length
          ? h("ol", { class: "events" }, events.map(entry))
          : h("p", { class: "muted" }, "Nothing has happened to it yet."),
        ...later_events.map(({ sentence }) => h("p", { class: "muted" }, sentence)),
      ),
      h(
        "p",
        {},
        h(
          "a",
          {
            href: new URL(`${path(this.id)}/instances/${instance.index}`, document.baseURI).href,
            target: "_blank",
            rel: "noopener",
          },
          "The same as JSON",
        ),
      ),
    );
  }

  /** @param {InstanceDetail} detail */
  facts({ instance, events, log }) {
    const outcome = events.find((event) => event.type === "JobCompleted" || event.type === "JobErrored");
    const attempts = outcome?.attempt ?? instance.attempt;
    const rows = [
      [
        "Job id",
        h(
          "span",
          { class: "with-copy" },
          h("code", {}, instance.job_id),
          copyButton(() => instance.job_id, "the job id"),
        ),
      ],
      ["Attempts", attempts === null || attempts === undefined ? "none yet" : count(attempts)],
      outcome?.started_at ? ["Took", span(between(outcome.started_at, outcome.at))] : null,
      [
        "Log",
        log
          ? h(
              "span",
              { class: "with-copy" },
              h("code", {}, log),
              copyButton(() => log, "where the log is"),
            )
          : h("span", { class: "muted" }, outcome ? "not known" : "No container has taken it up yet."),
      ],
    ];
    return h(
      "dl",
      { class: "facts" },
      rows
        .filter((row) => row !== null)
        .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    );
  }

  /** @param {InstanceEvent[]} events */
  progress(events) {
    const latest = events.findLast((event) => event.type === "JobProgressed");
    if (!latest) return null;
    return section(
      "Progress",
      h("progress", { max: 100, value: Number.parseInt(latest.detail, 10), "aria-label": "Progress" }),
      h("p", { class: "muted" }, latest.detail),
    );
  }
}

/**
 * A link to the form with the params of an instance, for those who may kick off jobs.
 * @param {string} href
 */
function againLink(href) {
  const link = h("p", { hidden: true }, h("a", { href }, "Run again with these params, or others"));
  getCaller().then(
    ({ writable }) => (link.hidden = writable !== null && !writable.length),
    () => {},
  );
  return link;
}

/**
 * A link to another instance, which replaces this one in the browser's history.
 * @param {string} label
 * @param {string} sign
 */
function neighbour(label, sign) {
  const follow = (/** @type {MouseEvent & { currentTarget: HTMLAnchorElement }} */ event) => {
    event.preventDefault();
    location.replace(event.currentTarget.href);
  };
  return h("a", { class: "button quiet", "aria-label": label, onclick: follow }, icon(sign));
}

/**
 * @param {string} title
 * @param {...(Child | Child[])} children
 */
const section = (title, ...children) => h("section", {}, h("h3", {}, title), ...children);

/** @param {InstanceEvent} event */
function entry(event) {
  const { at, type, attempt, detail, traceback, retry_at } = event;
  return h(
    "li",
    { class: `event ${type}` },
    h("time", { datetime: at }, stamp(at)),
    h(
      "div",
      {},
      h("span", { class: "event-word" }, WORDS[type] ?? type),
      attempt ? h("span", { class: "muted" }, ` · attempt ${attempt}`) : null,
      retry_at ? h("span", { class: "muted" }, ` · next at ${stamp(retry_at)}`) : null,
      detail ? h("p", { class: "event-detail" }, detail) : null,
      traceback
        ? h("details", {}, h("summary", {}, "Traceback"), codeBlock(traceback.trimEnd(), "Traceback"))
        : null,
    ),
  );
}
