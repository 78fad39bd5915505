/** The question before a rerun: which instances it runs, and with what params; they can be changed there. */

import { ask } from "./actions.js";
import { get, path, post } from "./api.js";
import { h, setText } from "./dom.js";
import { parseExactly } from "./exact_json.js";
import { count, json, plural } from "./format.js";

const PAUSE = 250; // after the last key, before the preview is asked for

/**
 * Show what would run again, let params be changed, and go to the new orchestration once it is confirmed.
 * @param {string} id
 * @param {RerunChoice} choice
 */
export function rerun(id, choice) {
  const form = new RerunForm(id, choice);
  ask({
    title: "Run again?",
    text: "A new orchestration starts, and names this one as its parent.",
    field: form.element,
    no: "Leave it",
    yes: "Run again",
    isWide: true,
    act: async () => {
      if (form.misfits) throw new Error(form.misfits);
      const started = await post(`${path(id)}/rerun`, form.body());
      location.hash = `#/orchestrations/${started.orchestration_id}`;
    },
  });
  form.preview();
}

class RerunForm {
  /**
   * @param {string} id
   * @param {RerunChoice} choice
   */
  constructor(id, choice) {
    this.id = id;
    this.choice = choice;
    this.isSingle = false;
    this.misfits = "";
    this.what = h("p", { class: "rerun-what", role: "status" }, "Looking what that is …");
    this.goesOn = h("p", { class: "muted", hidden: true });
    this.nextStages = h("input", { id: "next-stages", type: "checkbox", onchange: () => this.preview() });
    this.nextStagesLabel = h("label", { for: "next-stages" });
    this.offer = h("p", { hidden: true }, this.nextStages, " ", this.nextStagesLabel);
    this.samples = h("div", { class: "rerun-samples" });
    this.fault = h("p", { class: "refusal", role: "alert" });
    this.label = h("label", { for: "change" }, "Change the params of each (JSON merge patch)");
    this.hint = h("span", { id: "change-hint" }, "null removes a param; what is not named stays as it is.");
    this.text = h("textarea", {
      id: "change",
      rows: 4,
      spellcheck: "false",
      autocomplete: "off",
      placeholder: '{"region": "eu"}',
      "aria-describedby": "change-hint",
      oninput: () => this.edited(),
    });
    this.element = h(
      "div",
      { class: "rerun" },
      this.what,
      this.goesOn,
      this.offer,
      this.samples,
      h(
        "details",
        { ontoggle: () => this.text.focus() },
        h("summary", {}, "With other params"),
        h("div", { class: "field" }, this.label, this.text, this.hint, this.fault),
      ),
    );
  }

  /** What is sent: the choice, and what was changed. Raises SyntaxError where that is no JSON. */
  body() {
    const text = this.text.value.trim();
    const change = text ? parseExactly(text) : null;
    const choice = this.nextStages.checked ? { ...this.choice, only: null, next_stages: true } : this.choice;
    if (this.isSingle) return { ...choice, params: text === this.original ? null : change };
    return { ...choice, params_patch: change };
  }

  edited() {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.preview(), PAUSE);
  }

  /** Ask what would run, and show it; the answer to what was typed before is dropped. */
  async preview() {
    const asked = (this.asked = Symbol("preview"));
    try {
      const preview = await post(`${path(this.id)}/rerun/preview`, this.body());
      if (asked !== this.asked) return;
      this.misfits = explain(preview.problems);
      setText(this.fault, this.misfits);
      this.show(preview);
      if (preview.instances === 1 && !this.isSingle) await this.offerParams(preview.params[0].index);
    } catch (error) {
      if (asked !== this.asked) return;
      const message = error instanceof Error ? error.message : String(error);
      if (this.text.value)
        setText(this.fault, error instanceof SyntaxError ? `No JSON yet: ${message}` : message);
      else setText(this.what, message);
    }
  }

  /** @param {RerunPreview} preview */
  show({ instances, indices, more_indices, repaired, params, next_stages: stages, goes_on: goesOn }) {
    const names = stages.join(", ");
    this.goesOn.hidden = !stages.length || !goesOn || this.nextStages.checked;
    setText(this.goesOn, `The next stages follow: ${names}`);
    this.offer.hidden =
      !stages.length ||
      (goesOn && !this.nextStages.checked) ||
      ["all", "completed"].includes(this.choice.only ?? "");
    setText(this.nextStagesLabel, `Run the next stages, too, for what is repaired: ${names}`);
    const again = repaired ? `; ${count(repaired)} of them completed in another rerun already` : "";
    setText(
      this.what,
      `${plural(instances, "instance")} (${indices.replaceAll(",", ", ")}${more_indices ? ", …" : ""})${again}`,
    );
    const rest = instances - params.length;
    this.samples.replaceChildren(
      ...params.map((change) => sample(change)),
      ...(rest > 0 ? [h("p", { class: "muted" }, `and ${count(rest)} more`)] : []),
    );
  }

  /**
   * A single instance is edited as a whole, so that every value can be set, null as well.
   * @param {number} index
   */
  async offerParams(index) {
    const { params } = await get(`${path(this.id)}/instances/${index}`);
    if (this.text.value) return;
    this.isSingle = true;
    this.original = JSON.stringify(params, null, 2);
    this.text.value = this.original;
    this.text.rows = Math.min(12, this.original.split("\n").length + 1);
    setText(this.label, `Params of instance ${count(index)}`);
    setText(this.hint, "They replace those that it had.");
  }
}

/**
 * What of changed params their job would refuse, by the schema that it has published.
 * @param {ParamsProblem[]} problems
 */
function explain(problems) {
  return problems
    .map(({ index, field, message }) => `Instance ${count(index)}: ${field || "the object"} ${message}`)
    .join("\n");
}

/** @param {ParamsChange} change */
function sample({ index, before, after }) {
  const text = (/** @type {unknown} */ params) =>
    params === null ? "larger than 24 KB" : json(params, 2_000);
  const [was, is] = [text(before), text(after)];
  return h(
    "div",
    { class: "sample" },
    h("h4", {}, `Instance ${count(index)}`),
    was === is
      ? listing(`Params of instance ${index}`, "", was)
      : h(
          "div",
          { class: "sample-change" },
          listing(`Params of instance ${index} before`, "before", was),
          listing(`Params of instance ${index} in the rerun`, "after", is),
        ),
  );
}

/**
 * @param {string} label
 * @param {string} kind
 * @param {string} text
 */
const listing = (label, kind, text) =>
  h(
    "div",
    { class: `listing ${kind}` },
    kind ? h("span", { class: "sample-kind", "aria-hidden": "true" }, kind) : null,
    h("pre", { tabindex: 0, role: "region", "aria-label": label }, text),
  );
