/** The params of a kick-off or a schedule: fields for one instance, or JSON or a file for many. */

import { h, setText } from "./dom.js";
import { parseExactly } from "./exact_json.js";
import { count } from "./format.js";
import { ParamsFields } from "./schema_fields.js";

const MOST_BYTES = 5_000_000; // the API takes 6 MB

export class ParamsInput {
  /**
   * @param {ParamsSchema | null} schema
   * @param {Record<string, unknown>[]} given
   * @param {() => void} onChange
   */
  constructor(schema, given, onChange) {
    this.onChange = onChange;
    this.refused = ""; // why the chosen file was not taken
    this.fields = new ParamsFields(schema, given[0] ?? {}, onChange);
    this.text = h("textarea", {
      id: "many",
      rows: 8,
      spellcheck: "false",
      "aria-describedby": "many-problem",
      oninput: () => {
        this.refused = "";
        onChange();
      },
      placeholder: '{"customer": "acme"}\n{"customer": "globex"}',
    });
    this.problem = h("p", { class: "refusal", id: "many-problem", role: "alert" });
    this.one = this.choice("One instance", "one");
    this.many = this.choice("Many, as JSON or a file", "many");
    this.manyFields = h(
      "div",
      { class: "field" },
      h("label", { for: "many" }, "One object a line, or an array of objects"),
      this.text,
      h("label", { for: "params-file" }, "Or a file of them (.jsonl, .json)"),
      h("input", {
        id: "params-file",
        type: "file",
        accept: ".jsonl,.ndjson,.json,.txt",
        onchange: (event) => this.take(event.currentTarget),
      }),
    );
    this.element = h(
      "fieldset",
      { class: "params-input" },
      h("legend", {}, "Params"),
      h("div", { class: "choices" }, this.one.element, this.many.element),
      this.fields.element,
      this.manyFields,
      this.problem,
    );
    if (given.length > 1) {
      this.many.input.checked = true;
      this.text.value = given.map((params) => JSON.stringify(params)).join("\n");
    } else this.one.input.checked = true;
    this.toggle();
  }

  /**
   * @param {string} words
   * @param {string} value
   */
  choice(words, value) {
    const input = h("input", {
      type: "radio",
      name: "how-many",
      value,
      onchange: () => {
        this.toggle();
        this.onChange();
      },
    });
    return { input, element: h("label", { class: "choice" }, input, words) };
  }

  get isMany() {
    return this.many.input.checked;
  }

  toggle() {
    if (this.isMany && !this.text.value) {
      const { params } = this.fields.read();
      if (Object.keys(params).length) this.text.value = JSON.stringify(params);
    }
    this.manyFields.hidden = !this.isMany;
    this.fields.element.hidden = this.isMany;
    setText(this.problem, "");
  }

  /** @param {HTMLInputElement} input */
  async take(input) {
    const file = input.files?.[0];
    if (!file) return;
    this.refused = "";
    if (file.size > MOST_BYTES) {
      this.refused =
        `The file has ${count(file.size)} bytes, and a page sends ${count(MOST_BYTES)} at most. ` +
        "Kick off on the command line: background-jobs kick-off NAME FILE";
    } else {
      try {
        this.text.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
      } catch {
        this.refused = `${file.name} is not UTF-8, so its texts would be changed. Save it as UTF-8.`;
      }
    }
    this.onChange();
  }

  /** @returns {{ params: unknown[], problems: FieldProblem[] }} what was read, and what cannot be */
  read() {
    if (!this.isMany) {
      const { params, problems } = this.fields.read();
      return { params: [params], problems };
    }
    if (this.refused) return { params: [], problems: [{ field: "", message: this.refused }] };
    try {
      return { params: readMany(this.text.value), problems: [] };
    } catch (error) {
      return { params: [], problems: [{ field: "", message: String(/** @type {Error} */ (error).message) }] };
    }
  }

  /**
   * Show what is wrong; *all* is false while somebody is still typing.
   * @param {ParamsProblem[] | FieldProblem[]} problems
   * @param {boolean} all
   */
  show(problems, all) {
    if (!this.isMany) {
      const first = this.fields.show(problems, all);
      const whole = problems.filter(({ field }) => field === "").map(({ message }) => message);
      setText(this.problem, whole.join("; "));
      return first;
    }
    const words = problems.slice(0, 5).map(lineOf);
    if (problems.length > 5) words.push(`and ${count(problems.length - 5)} more`);
    setText(this.problem, words.join("; "));
    this.text.toggleAttribute("aria-invalid", problems.length > 0);
    return problems.length ? this.text : undefined;
  }
}

/** @param {ParamsProblem | FieldProblem} problem */
const lineOf = (problem) =>
  "index" in problem
    ? `Index ${problem.index}: ${problem.field || "it"} ${problem.message}`
    : problem.message;

/**
 * Return the objects of an array, or one a line. Throws an Error that says which line is none.
 * @param {string} text
 * @returns {unknown[]}
 */
export function readMany(text) {
  const trimmed = text.trim();
  if (!trimmed) throw new Error("There are no params yet.");
  try {
    const whole = parseExactly(trimmed);
    return Array.isArray(whole) ? whole : [whole];
  } catch (error) {
    if (trimmed.startsWith("["))
      throw new Error(`The array is no JSON: ${/** @type {Error} */ (error).message}`, { cause: error });
  }
  return trimmed.split("\n").flatMap((line, number) => {
    if (!line.trim()) return [];
    try {
      return [parseExactly(line)];
    } catch (error) {
      throw new Error(`Line ${number + 1} is no JSON: ${/** @type {Error} */ (error).message}`, {
        cause: error,
      });
    }
  });
}
