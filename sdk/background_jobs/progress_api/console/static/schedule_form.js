/** The form that makes a schedule, or changes one; what it does not show stays as it is. */

import { get, post, put } from "./api.js";
import { getCaller, mayChange, readOnlyNote } from "./caller.js";
import { errorNotice } from "./components.js";
import { h, setText } from "./dom.js";
import { loadJobs } from "./jobs.js";
import { readTags } from "./kick_off.js";
import { ParamsInput } from "./params_input.js";
import { schedulePath } from "./schedules.js";
import { TimingInput } from "./timing_input.js";

export class ScheduleFormPage {
  /**
   * @param {HTMLElement} root
   * @param {{ name: string | null }} place the schedule to change; null for a new one
   */
  constructor(root, { name }) {
    this.name = name;
    this.body = h("div", { class: "page-body", "aria-busy": "true" });
    const title = name ? `Change ${name}` : "New schedule";
    root.replaceChildren(
      h("p", { class: "crumbs" }, h("a", { href: "#/schedules" }, "Schedules")),
      h("h1", { tabindex: -1 }, title),
      this.body,
    );
    document.title = title;
    this.load();
  }

  update() {}

  close() {
    this.closed = true;
  }

  async load() {
    try {
      const [jobs, caller, before] = await Promise.all([
        loadJobs(),
        getCaller(),
        this.name ? get(`${schedulePath(this.name)}/definition`) : null,
      ]);
      if (!this.closed) this.show(jobs, caller, before);
    } catch (error) {
      this.body.replaceChildren(errorNotice(error, () => this.load()));
    }
    this.body.setAttribute("aria-busy", "false");
  }

  /**
   * @param {JobView[]} jobs
   * @param {CallerView} caller
   * @param {ScheduleDefinition | null} before
   */
  show(jobs, caller, before) {
    const own = jobs.filter((job) => mayChange(caller, job.service));
    if (!own.length) return this.body.replaceChildren(readOnlyNote("make or change schedules"));
    if (before?.declared)
      return this.explain("The stack declares this schedule: change it there, and deploy.");
    if (before && before.params === null)
      return this.explain(
        "Its params are too large for this page. Change it with the SDK or the command line.",
      );
    this.jobs = own;
    this.before = before;
    this.nameField = textField("Name", "name", this.name ?? "");
    if (this.name) this.nameField.input.readOnly = true;
    this.job = jobSelect(own, before);
    this.job.addEventListener("change", () => this.showParams([]));
    this.paramsPlace = h("div");
    this.timing = new TimingInput(before);
    this.overlap = overlapSelect(before?.overlap ?? "skip");
    this.tags = textField("Tags", "tags", writeTags(before?.tags ?? {}), "customer=acme");
    this.refusal = h("p", { class: "refusal", role: "alert" });
    this.confirm = h("button", { type: "submit", class: "primary" }, before ? "Save" : "Make the schedule");
    this.showParams(before?.params ?? []);
    this.body.replaceChildren(
      h(
        "form",
        { class: "card kick-off", novalidate: true, onsubmit: (event) => this.submit(event) },
        this.nameField.element,
        h("div", { class: "field" }, h("label", { for: "job" }, "Job"), this.job),
        this.paramsPlace,
        this.timing.element,
        h(
          "fieldset",
          { class: "options" },
          h("legend", {}, "How it runs"),
          h(
            "div",
            { class: "field" },
            h("label", { for: "overlap" }, "While a run is in progress"),
            this.overlap,
          ),
          this.tags.element,
        ),
        this.refusal,
        h("div", { class: "buttons" }, this.confirm),
      ),
    );
  }

  /** @param {string} why */
  explain(why) {
    this.body.replaceChildren(h("div", { class: "card notice" }, h("p", {}, why)));
  }

  get chosen() {
    return this.jobs?.[Number(this.job?.value)];
  }

  /** @param {Record<string, unknown>[]} given */
  showParams(given) {
    this.params = new ParamsInput(this.chosen?.params_schema ?? null, given, () => {});
    this.paramsPlace?.replaceChildren(this.params.element);
  }

  /** @param {SubmitEvent} event */
  async submit(event) {
    event.preventDefault();
    if (!this.confirm || this.confirm.disabled) return;
    this.confirm.disabled = true;
    setText(/** @type {HTMLElement} */ (this.refusal), "");
    try {
      await this.save();
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      setText(/** @type {HTMLElement} */ (this.refusal), words);
    }
    this.confirm.disabled = false;
  }

  async save() {
    const { params: input, timing, chosen: job } = this;
    if (!input || !timing || !job) return;
    const name = (this.nameField?.input.value ?? "").trim();
    if (!name) throw new Error("Give it a name: letters, digits, '_', '.' and '-'.");
    const tags = readTags(this.tags?.input.value ?? "");
    if (tags === null) throw new Error("Tags are written as name=value, with commas between them.");
    const { params, problems } = input.read();
    const found = problems.length ? problems : await findProblems(job, params);
    const first = input.show(found, true);
    if (found.length) return first?.focus();
    if (!this.name && (await exists(name)))
      throw new Error(`There is a schedule ${name} already. Take another name, or change that one.`);
    const kept = /** @type {Record<string, unknown>} */ ({ ...this.before });
    delete kept.declared;
    await put(schedulePath(name), {
      ...kept,
      ...timing.read(),
      job_name: job.name,
      service: job.service ?? this.before?.service,
      params,
      overlap: this.overlap?.value,
      tags: tags ?? {},
    });
    location.hash = `#/${schedulePath(name)}`;
  }
}

/**
 * @param {JobView} job
 * @param {unknown[]} params
 */
async function findProblems(job, params) {
  const where = `jobs/${encodeURIComponent(job.name)}/preview`;
  const { problems } = await post(where, { params, service: job.service ?? undefined });
  return /** @type {ParamsProblem[]} */ (problems);
}

/** @param {string} name */
async function exists(name) {
  try {
    return (await get(schedulePath(name))).state !== "over";
  } catch {
    return false;
  }
}

/**
 * @param {string} words
 * @param {string} id
 * @param {string} value
 * @param {string} [placeholder]
 */
function textField(words, id, value, placeholder = "") {
  const input = h("input", { id, name: id, value, placeholder, autocomplete: "off" });
  return { input, element: h("div", { class: "field" }, h("label", { for: id }, words), input) };
}

/**
 * @param {JobView[]} jobs
 * @param {ScheduleDefinition | null} before
 */
function jobSelect(jobs, before) {
  const isChosen = (/** @type {JobView} */ job) =>
    before !== null &&
    [job.name, ...job.aliases].includes(before.job_name) &&
    (!before.service || job.service === before.service);
  return h(
    "select",
    { id: "job" },
    jobs.map((job, number) =>
      h(
        "option",
        { value: number, selected: isChosen(job) },
        job.service ? `${job.name} (${job.service})` : job.name,
      ),
    ),
  );
}

/** @param {string} chosen */
function overlapSelect(chosen) {
  const options = { skip: "Skip the occurrence", queue: "Queue it", allow: "Run beside it" };
  return h(
    "select",
    { id: "overlap" },
    Object.entries(options).map(([value, words]) =>
      h("option", { value, selected: value === chosen }, words),
    ),
  );
}

/** @param {Record<string, string>} tags */
const writeTags = (tags) =>
  Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
