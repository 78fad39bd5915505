/** Draws schemas of an OpenAPI document: the name of a type, and the table of an object's fields. */

import { h } from "../dom.js";

const REFERENCE = "#/components/schemas/";

/**
 * Return a text whose code is between backticks.
 * @param {string} text
 * @returns {Child[]}
 */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}

/** @param {string} name */
export const schemaId = (name) => `schema-${name}`;

/**
 * Return how a schema is called, with links to those that have a name.
 * @param {Schema | undefined} schema
 * @returns {Child[]}
 */
export function typeOf(schema) {
  if (!schema) return ["any"];
  if (schema.$ref) {
    const name = schema.$ref.replace(REFERENCE, "");
    return [h("a", { href: `#${schemaId(name)}` }, name)];
  }
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return either.flatMap((one, index) => [index ? " or " : "", ...typeOf(one)]);
  if (schema.enum) return [schema.enum.map((one) => JSON.stringify(one)).join(" or ")];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  if (schema.type === "array") return ["array of ", ...typeOf(schema.items)];
  if (schema.type === "object" && typeof schema.additionalProperties === "object")
    return ["object of ", ...typeOf(schema.additionalProperties)];
  return [[schema.type ?? "any", schema.format].filter(Boolean).join(", ")];
}

/**
 * Return a table of names, types and descriptions.
 * @param {string} label
 * @param {{ name: string, schema: Schema | undefined, isRequired: boolean, description?: string }[]} fields
 */
export function fieldTable(label, fields) {
  return h(
    "div",
    // What scrolls is reached by the keyboard.
    { class: "wide", role: "group", "aria-label": label, tabindex: 0 },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ...["Name", "Type", "Description"].map((head) => h("th", { scope: "col" }, head)),
        ),
      ),
      h("tbody", {}, ...fields.map(fieldRow)),
    ),
  );
}

/** @param {{ name: string, schema: Schema | undefined, isRequired: boolean, description?: string }} field */
function fieldRow({ name, schema, isRequired, description }) {
  return h(
    "tr",
    {},
    h("td", {}, h("code", {}, name)),
    h("td", {}, ...typeOf(schema), h("span", { class: "muted" }, isRequired ? ", required" : "")),
    h("td", {}, ...prose(description ?? schema?.description ?? "")),
  );
}

/**
 * Return the card of a schema that has a name.
 * @param {string} name
 * @param {Schema} schema
 */
export function schemaCard(name, schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([field, one]) => ({
    name: field,
    schema: one,
    isRequired: required.has(field),
  }));
  return h(
    "article",
    { class: "card", id: schemaId(name) },
    h("h3", {}, name),
    schema.description ? h("p", {}, ...prose(schema.description)) : null,
    fields.length
      ? fieldTable(`Fields of ${name}`, fields)
      : h("p", {}, ...typeOf({ ...schema, description: "" })),
  );
}
