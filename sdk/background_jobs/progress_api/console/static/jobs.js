/** The jobs that can be kicked off. */

import { get } from "./api.js";
import { getCaller, mayChange, readOnlyNote } from "./caller.js";
import { codeBlock, errorNotice } from "./components.js";
import { h } from "./dom.js";

/**
 * @param {string} name
 * @param {string | null} service
 */
export const jobLink = (name, service) =>
  `#/jobs/${encodeURIComponent(name)}${service ? `?service=${encodeURIComponent(service)}` : ""}`;

/** @returns {Promise<JobView[]>} */
export async function loadJobs() {
  const jobs = [];
  let token = null;
  do {
    const page = /** @type {{ items: JobView[], next_token: string | null }} */ (
      await get("jobs", { limit: 1_000, next_token: token })
    );
    jobs.push(...page.items);
    token = page.next_token;
  } while (token);
  return jobs;
}

export class JobsPage {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.body = h("div", { class: "page-body", "aria-busy": "true" });
    root.replaceChildren(h("h1", { tabindex: -1 }, "Jobs"), this.body);
    document.title = "Jobs";
    this.load();
  }

  update() {}

  close() {
    this.closed = true;
  }

  async load() {
    try {
      const [jobs, caller] = await Promise.all([loadJobs(), getCaller()]);
      if (!this.closed) this.show(jobs, caller);
    } catch (error) {
      this.body.replaceChildren(errorNotice(error, () => this.load()));
    }
    this.body.setAttribute("aria-busy", "false");
  }

  /**
   * @param {JobView[]} jobs
   * @param {CallerView} caller
   */
  show(jobs, caller) {
    if (!jobs.length) return this.body.replaceChildren(noJobs());
    const mayNone = !jobs.some((job) => mayChange(caller, job.service));
    this.body.replaceChildren(
      ...(mayNone ? [readOnlyNote("kick off jobs")] : []),
      h(
        "ol",
        { class: "rows" },
        jobs.map((job) => row(job, mayChange(caller, job.service))),
      ),
    );
  }
}

/**
 * @param {JobView} job
 * @param {boolean} mayKickOff
 */
function row(job, mayKickOff) {
  const required = job.params_schema?.required ?? [];
  const params = Object.keys(job.params_schema?.properties ?? {});
  return h(
    "li",
    { class: "row job-row" },
    h(
      "div",
      { class: "row-what" },
      mayKickOff
        ? h("a", { class: "row-link", href: jobLink(job.name, job.service) }, job.name)
        : h("span", { class: "row-name" }, job.name),
      job.description ? h("span", {}, job.description) : null,
      h(
        "span",
        { class: "tags" },
        job.service ? h("span", { class: "muted" }, job.service) : null,
        params.map((name) =>
          h("span", { class: "tag" }, required.includes(name) ? name : `${name} (optional)`),
        ),
        job.aliases.length ? h("span", { class: "muted" }, `earlier ${job.aliases.join(", ")}`) : null,
        job.is_described ? null : h("span", { class: "muted" }, "Its image has published no params."),
      ),
    ),
    mayKickOff ? h("span", { class: "button", "aria-hidden": "true" }, "Kick off") : null,
  );
}

function noJobs() {
  return h(
    "div",
    { class: "card empty" },
    h("h2", {}, "No jobs are known here yet"),
    h("p", { class: "muted" }, "Publish what an image tells of its jobs, after each deployment:"),
    codeBlock("background-jobs publish-jobs --image NAME --service NAME", "Command"),
  );
}
