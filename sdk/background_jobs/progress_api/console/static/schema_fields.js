/** A field of a form for each param that the JSON Schema of a job has. */

import { h, setText } from "./dom.js";
import { parseExactly } from "./exact_json.js";

const WHOLE = "whole"; // the title of what is no param of its own
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?$/i;
let made = 0;

/** One param: its label, its control, and what is wrong with it. */
class Field {
  /**
   * @param {string} name
   * @param {ParamsSchema} schema its own, without references
   * @param {boolean} isRequired
   */
  constructor(name, schema, isRequired) {
    this.name = name;
    this.isRequired = isRequired;
    this.isTouched = false;
    this.kind = kindOf(schema);
    const id = `param-${++made}`;
    this.control = control(this.kind, schema, isRequired, {
      id,
      name,
      required: isRequired,
      "aria-describedby": `${id}-about ${id}-problem`,
    });
    this.problem = h("span", { class: "refusal", id: `${id}-problem` });
    this.element = h(
      "div",
      { class: "field param" },
      h(
        "label",
        { for: id },
        h("span", { class: "param-name" }, name),
        isRequired || schema.title === WHOLE ? null : " (optional)",
      ),
      this.control,
      h("span", { class: "about", id: `${id}-about` }, about(this.kind, schema)),
      this.problem,
    );
  }

  get isEmpty() {
    return this.control.value.trim() === "";
  }

  /** @param {unknown} value */
  fill(value) {
    this.control.value =
      typeof value === "string" && this.kind !== "json" && this.kind !== "choice"
        ? value
        : JSON.stringify(value, null, this.kind === "json" ? 2 : 0);
  }

  /** Return the value. Throws a SyntaxError where it is to be JSON, and is not. */
  read() {
    const text = this.control.value;
    if (this.kind === "text" || this.kind === "date") return text;
    if (this.kind === "number" && !Number.isFinite(Number(text))) return text;
    return parseExactly(this.kind === "number" && !NUMBER.test(text.trim()) ? String(Number(text)) : text);
  }

  /** @param {string} message */
  show(message) {
    setText(this.problem, message);
    if (message) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }
}

/** The params of one instance. */
export class ParamsFields {
  /**
   * *onChange* is called with every change.
   * @param {ParamsSchema | null} schema
   * @param {Record<string, unknown>} values
   * @param {() => void} onChange
   */
  constructor(schema, values, onChange) {
    const required = schema?.required ?? [];
    const properties = Object.entries(schema?.properties ?? {});
    this.fields = properties.map(
      ([name, field]) => new Field(name, resolve(schema ?? {}, field), required.includes(name)),
    );
    const rest = Object.fromEntries(Object.entries(values).filter(([name]) => !this.find(name)));
    this.rest =
      properties.length && schema?.additionalProperties !== true && !Object.keys(rest).length
        ? null
        : restField(properties.length > 0, rest);
    for (const [name, value] of Object.entries(values)) this.find(name)?.fill(value);
    const all = this.rest ? [...this.fields, this.rest] : this.fields;
    this.element = h(
      "div",
      { class: "params" },
      all.map((field) => field.element),
    );
    for (const field of all)
      field.control.addEventListener("input", () => {
        field.isTouched = true;
        onChange();
      });
  }

  /** @param {string} name */
  find(name) {
    return this.fields.find((field) => field.name === name);
  }

  /** @returns {{ params: Record<string, unknown>, problems: FieldProblem[] }} */
  read() {
    /** @type {[string, unknown][]} */
    const values = [];
    /** @type {FieldProblem[]} */
    const problems = [];
    for (const field of this.fields) {
      if (field.isEmpty) continue;
      try {
        values.push([field.name, field.read()]);
      } catch {
        problems.push({ field: field.name, message: "is no JSON: write objects, lists and texts as JSON" });
      }
    }
    // An assignment to `__proto__` would make no param of it.
    return this.readRest(Object.fromEntries(values), problems);
  }

  /**
   * @param {Record<string, unknown>} params
   * @param {FieldProblem[]} problems
   */
  readRest(params, problems) {
    if (this.rest && !this.rest.isEmpty) {
      try {
        const rest = this.rest.read();
        if (rest === null || typeof rest !== "object" || Array.isArray(rest)) throw new SyntaxError();
        return { params: { ...params, ...rest }, problems };
      } catch {
        problems.push({ field: this.rest.name, message: 'is no JSON object, as in {"customer": "acme"}' });
      }
    }
    return { params, problems };
  }

  /**
   * Show problems at their fields: all, or those of fields that somebody has changed.
   * @param {FieldProblem[]} problems
   * @param {boolean} all
   * @returns {HTMLElement | undefined} the first control that has one
   */
  show(problems, all) {
    let first;
    for (const field of this.rest ? [...this.fields, this.rest] : this.fields) {
      const own = problems.filter((problem) => root(problem.field) === field.name);
      const shown = all || field.isTouched ? own : [];
      field.show(shown.map((problem) => `${problem.field} ${problem.message}`).join("; "));
      if (shown.length) first ??= field.control;
    }
    return first;
  }
}

/** @param {string} place `items[2].price` */
const root = (place) => place.split(/[.[]/)[0];

/**
 * @param {boolean} isBeside
 * @param {Record<string, unknown>} rest
 */
function restField(isBeside, rest) {
  const name = isBeside ? "Other params" : "Params";
  const field = new Field(name, { type: "object", title: WHOLE }, false);
  if (!isBeside || Object.keys(rest).length) field.fill(rest);
  return field;
}

/**
 * Return a schema without its reference; what stands beside the reference counts first.
 * @param {ParamsSchema} whole
 * @param {ParamsSchema} schema
 * @returns {ParamsSchema}
 */
function resolve(whole, schema) {
  const target = schema.$ref ? whole.$defs?.[schema.$ref.split("/").at(-1) ?? ""] : undefined;
  const own = { ...target, ...schema };
  const ways = (own.anyOf ?? []).map((/** @type {ParamsSchema} */ way) => resolveOnce(whole, way));
  const known = ways.filter((/** @type {ParamsSchema} */ way) => way.type !== "null");
  return known.length === 1 ? { ...known[0], ...own, type: known[0].type, enum: known[0].enum } : own;
}

/**
 * @param {ParamsSchema} whole
 * @param {ParamsSchema} schema
 * @returns {ParamsSchema}
 */
const resolveOnce = (whole, schema) =>
  schema.$ref ? { ...whole.$defs?.[schema.$ref.split("/").at(-1) ?? ""], ...schema } : schema;

/** @param {ParamsSchema} schema */
function kindOf(schema) {
  if (schema.enum || schema.const !== undefined || schema.type === "boolean") return "choice";
  if (schema.type === "integer" || schema.type === "number") return "number";
  if (schema.type === "string") return schema.format === "date" ? "date" : "text";
  return "json";
}

/**
 * @param {string} kind
 * @param {ParamsSchema} schema
 * @param {boolean} isRequired
 * @param {Attributes} attributes
 */
function control(kind, schema, isRequired, attributes) {
  if (kind === "json") return h("textarea", { ...attributes, rows: 3, spellcheck: "false" });
  if (kind === "choice") {
    const values = schema.enum ?? (schema.type === "boolean" ? [true, false] : [schema.const]);
    return h(
      "select",
      attributes,
      h("option", { value: "" }, isRequired ? "Choose" : "Not given"),
      values.map((value) => h("option", { value: JSON.stringify(value) }, plain(value))),
    );
  }
  const type = kind === "date" ? "date" : "text";
  const mode = kind === "number" ? (schema.type === "integer" ? "numeric" : "decimal") : null;
  return h("input", { ...attributes, type, inputmode: mode, autocomplete: "off" });
}

/** @type {Record<string, string>} */
const KINDS = {
  integer: "whole number",
  number: "number",
  string: "text",
  array: "list as JSON",
  object: "object as JSON",
};

/**
 * @param {string} kind
 * @param {ParamsSchema} schema
 */
function about(kind, schema) {
  const words = kind === "json" ? (KINDS[schema.type ?? ""] ?? "JSON") : (KINDS[schema.type ?? ""] ?? "");
  return [
    kind === "choice" ? "" : kind === "date" ? "date" : words,
    schema.default === undefined || schema.default === null ? "" : `by default ${plain(schema.default)}`,
    schema.description ?? "",
  ]
    .filter(Boolean)
    .join(" · ");
}

/** @param {unknown} value */
const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
