/** The form that kicks off a job: its params, how it runs, and what will run. */

import { get, path, post } from "./api.js";
import { getCaller, mayChange, readOnlyNote } from "./caller.js";
import { codeBlock, errorNotice } from "./components.js";
import { h, setText } from "./dom.js";
import { parseExactly } from "./exact_json.js";
import { count, plural, span } from "./format.js";
import { ParamsInput } from "./params_input.js";

const CALM = 300;

export class KickOffPage {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  later;
  asked = 0;

  /**
   * @param {HTMLElement} root
   * @param {{ name?: string, query: URLSearchParams, from?: { id: string, index: string } }} place the job, or
   *   an instance whose job and params are to be taken
   */
  constructor(root, { name = "", query, from }) {
    this.name = name;
    this.from = from;
    this.title = h("h1", { tabindex: -1 }, name || "Run again");
    this.query = query;
    this.body = h("div", { class: "page-body", "aria-busy": "true" });
    root.replaceChildren(
      h("p", { class: "crumbs" }, h("a", { href: "#/jobs" }, "Jobs")),
      this.title,
      this.body,
    );
    document.title = `Kick off ${name || "again"}`;
    this.load();
  }

  update() {}

  close() {
    this.closed = true;
    clearTimeout(this.later);
  }

  async load() {
    try {
      const { name, service, given } = this.from
        ? await readInstance(this.from)
        : { name: this.name, service: this.query.get("service"), given: givenParams(this.query) };
      const [job, caller] = await Promise.all([
        get(`jobs/${encodeURIComponent(name)}`, { service }),
        getCaller(),
      ]);
      if (this.closed) return;
      this.job = /** @type {JobView} */ (job);
      this.name = name;
      setText(this.title, name);
      document.title = `Kick off ${name}`;
      if (mayChange(caller, this.job.service)) this.show(given);
      else this.body.replaceChildren(readOnlyNote("kick off jobs of this service"));
    } catch (error) {
      this.body.replaceChildren(errorNotice(error, () => this.load()));
    }
    this.body.setAttribute("aria-busy", "false");
  }

  /** @param {Record<string, unknown>[]} given */
  show(given) {
    const job = /** @type {JobView} */ (this.job);
    this.params = new ParamsInput(job.params_schema, given, () => this.plan());
    this.parallelism = optionField("Containers at once", "parallelism", "as many as there may be", "numeric");
    this.key = optionField("Key", "key", "starts it once, however often");
    this.tags = optionField("Tags", "tags", "customer=acme, month=11");
    for (const { input } of [this.parallelism, this.key, this.tags])
      input.value = this.query.get(input.name) ?? "";
    this.parallelism.input.addEventListener("input", () => this.plan());
    this.preview = h("div", { class: "preview", role: "status" });
    this.refusal = h("p", { class: "refusal", role: "alert" });
    this.confirm = h("button", { type: "submit", class: "primary" }, "Kick off");
    this.body.replaceChildren(
      ...[
        job.description ? h("p", {}, job.description) : null,
        h("p", { class: "muted" }, defaults(job)),
        h(
          "form",
          { class: "card kick-off", novalidate: true, onsubmit: (event) => this.submit(event) },
          this.params.element,
          h(
            "fieldset",
            { class: "options" },
            h("legend", {}, "How it runs"),
            this.parallelism.element,
            this.key.element,
            this.tags.element,
          ),
          h("h2", {}, "What will run"),
          this.preview,
          this.refusal,
          h("div", { class: "buttons" }, this.confirm),
        ),
      ].filter((child) => child !== null),
    );
    this.ask(false);
  }

  plan() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.ask(false), CALM);
  }

  /**
   * Ask what would run, and show it; return the kick-off where nothing is wrong with it.
   * @param {boolean} all whether to show problems of fields that nobody has changed
   * @returns {Promise<Record<string, unknown> | null>}
   */
  async ask(all) {
    if (!this.params || !this.parallelism || !this.tags || !this.key || !this.job) return null;
    const number = ++this.asked;
    const { params, problems } = this.params.read();
    const parallelism = readWhole(this.parallelism.input.value);
    if (Number.isNaN(parallelism)) return this.refuse("The containers at once are a whole number above 0.");
    const service = this.job.service ?? undefined;
    /** @type {ParamsProblem[] | FieldProblem[]} */
    let found = problems;
    if (!problems.length) {
      const preview = await post(`jobs/${encodeURIComponent(this.name)}/preview`, {
        params,
        parallelism,
        service,
      }).catch((error) => this.refuse(error.message));
      if (!preview || number !== this.asked) return null;
      this.refuse("");
      found = preview.problems;
      this.showPreview(preview);
    }
    const first = this.params.show(found, all);
    if (found.length) {
      if (all) first?.focus();
      if (problems.length) this.preview?.replaceChildren(h("p", { class: "muted" }, "Not yet: see above."));
      return null;
    }
    const tags = readTags(this.tags.input.value);
    if (tags === null) return this.refuse("Tags are written as name=value, with commas between them.");
    const key = this.key.input.value || undefined;
    return { job_name: this.name, params, parallelism, service, tags, key };
  }

  /**
   * @param {string} why
   * @returns {null}
   */
  refuse(why) {
    if (this.refusal) setText(this.refusal, why);
    return null;
  }

  /** @param {KickOffPreview} preview */
  showPreview({ instances, containers, instances_per_container, first_params, checked, problems }) {
    const wrong = new Set(problems.map(({ index }) => index)).size;
    this.preview?.replaceChildren(
      h(
        "p",
        {},
        instances
          ? `${plural(instances, "instance")} in ${plural(containers, "container")}` +
              (instances > containers ? `, up to ${instances_per_container} in each` : "")
          : "No instances: it would complete at once.",
        checked < instances
          ? h("span", { class: "muted" }, ` · the first ${count(checked)} were checked`)
          : null,
        wrong ? h("span", { class: "muted" }, ` · ${plural(wrong, "object")} of params not ready`) : null,
      ),
      codeBlock(
        first_params.map((one) => JSON.stringify(one)).join("\n") +
          (instances > first_params.length ? "\n…" : ""),
        "The first params",
      ),
    );
  }

  /** @param {SubmitEvent} event */
  async submit(event) {
    event.preventDefault();
    clearTimeout(this.later);
    if (!this.confirm || this.confirm.disabled) return;
    this.confirm.disabled = true;
    try {
      const body = await this.ask(true);
      if (body) {
        const started = await post("orchestrations", body);
        location.hash = `#/orchestrations/${started.orchestration_id}`;
      }
    } catch (error) {
      this.refuse(error instanceof Error ? error.message : String(error));
    }
    this.confirm.disabled = false;
  }
}

/**
 * Return the params that the address has as JSON.
 * @param {URLSearchParams} query
 * @returns {Record<string, unknown>[]}
 */
function givenParams(query) {
  const text = query.get("params");
  if (!text) return [];
  try {
    const given = parseExactly(text);
    const all = Array.isArray(given) ? given : [given];
    if (all.every((params) => params !== null && typeof params === "object" && !Array.isArray(params)))
      return all;
  } catch {
    // said below
  }
  throw new Error(
    "The params in the address of this page are no JSON object, nor a list of them. Leave out `params=…`, and fill in.",
  );
}

/**
 * Return an instance's job, service and params.
 * @param {{ id: string, index: string }} instance
 */
async function readInstance({ id, index }) {
  const [view, detail] = await Promise.all([get(path(id)), get(`${path(id)}/instances/${index}`)]);
  return { name: view.job_name, service: view.service, given: [detail.params] };
}

/**
 * @param {string} words
 * @param {string} name
 * @param {string} placeholder
 * @param {string} [mode]
 */
function optionField(words, name, placeholder, mode) {
  const input = h("input", { id: name, name, placeholder, autocomplete: "off", inputmode: mode });
  return { input, element: h("div", { class: "field" }, h("label", { for: name }, words), input) };
}

/** @param {JobView} job */
function defaults(job) {
  return [
    plural(job.retry.max_attempts, "attempt"),
    job.timeout_seconds ? `${span(job.timeout_seconds)} for each` : "no timeout",
    job.concurrency > 1 ? `${job.concurrency} at once in a container` : "",
    job.service ? `service ${job.service}` : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** @param {string} text */
function readWhole(text) {
  if (!text.trim()) return undefined;
  return /^[1-9]\d{0,8}$/.test(text.trim()) ? Number(text) : Number.NaN;
}

/**
 * @param {string} text `customer=acme, month=11`
 * @returns {Record<string, string> | null | undefined} null where it is none
 */
export function readTags(text) {
  if (!text.trim()) return undefined;
  const pairs = text.split(",").map((pair) => /^\s*([^=]+?)\s*=\s*(.+?)\s*$/.exec(pair));
  if (pairs.some((pair) => pair === null)) return null;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1], pair?.[2]]));
}
