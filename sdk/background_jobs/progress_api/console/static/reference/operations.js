/** Draws the routes of an OpenAPI document: what each takes, examples, and what it answers. */

import { h } from "../dom.js";
import { fieldTable, prose, typeOf } from "./schemas.js";

const METHODS = /** @type {const} */ (["get", "post", "put", "delete"]);

/**
 * Return the routes of a document in their order.
 * @param {OpenApi} document
 * @returns {Route[]}
 */
export function listRoutes({ paths }) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    METHODS.flatMap((method) => {
      const operation = methods[method];
      return operation ? [{ path, method: method.toUpperCase(), operation }] : [];
    }),
  );
}

/**
 * Return the answers that every route may give.
 * @param {Route[]} routes
 * @returns {Record<string, Answer>}
 */
export function findCommonAnswers(routes) {
  const [first, ...others] = routes.map(({ operation }) => operation.responses);
  const isCommon = (/** @type {string} */ status) =>
    others.every((answers) => answers[status]?.description === first[status].description);
  return Object.fromEntries(Object.entries(first).filter(([status]) => isCommon(status)));
}

/**
 * @param {Route} route
 * @param {Record<string, Answer>} common the answers that are shown elsewhere
 */
export function operationCard({ path, method, operation }, common) {
  const { operationId, description, parameters, requestBody, responses, security } = operation;
  return h(
    "article",
    { class: "card", id: operationId },
    h("h3", {}, operationId),
    h("p", { class: "route" }, h("span", { class: "method" }, method), h("span", { class: "path" }, path)),
    h("p", {}, ...prose(description ?? "")),
    security ? h("p", { class: "muted" }, `Authentication: ${security.flatMap(Object.keys).join(", ")}.`) : null,
    parameters?.length ? h("h4", {}, "Parameters") : null,
    parameters?.length ? parameterTable(operationId, parameters) : null,
    ...(requestBody ? bodyParts(requestBody) : []),
    h("h4", {}, "Answers"),
    answerTable(operationId, without(responses, common)),
  );
}

/**
 * @param {Record<string, Answer>} answers
 * @param {Record<string, Answer>} others
 */
function without(answers, others) {
  const own = Object.entries(answers).filter(
    ([status, { description }]) => others[status]?.description !== description,
  );
  return Object.fromEntries(own);
}

/**
 * @param {string} operationId
 * @param {Parameter[]} parameters
 */
function parameterTable(operationId, parameters) {
  return fieldTable(
    `Parameters of ${operationId}`,
    parameters.map(({ name, in: place, required, schema, description }) => ({
      name,
      schema,
      isRequired: Boolean(required),
      description: `${description ?? schema?.description ?? ""} (${place})`.trim(),
    })),
  );
}

/**
 * @param {RequestBody} body
 * @returns {Child[]}
 */
function bodyParts({ content, required }) {
  const { schema, examples } = content["application/json"];
  return [
    h("h4", {}, required ? "Body" : "Body (may be left out)"),
    h("p", {}, "JSON: ", ...typeOf(schema)),
    ...Object.entries(examples ?? {}).flatMap(([name, { value }]) => [
      h("p", { class: "muted" }, `Example: ${name}`),
      h("pre", { tabindex: 0, "aria-label": `Example: ${name}` }, JSON.stringify(value, null, 2)),
    ]),
  ];
}

/**
 * @param {string} operationId
 * @param {Record<string, Answer>} responses
 */
export function answerTable(operationId, responses) {
  return fieldTable(
    `Answers of ${operationId}`,
    Object.entries(responses).map(([status, { description, content, headers }]) => ({
      name: status,
      schema: answerSchema(content),
      isRequired: false,
      description: [description, ...Object.keys(headers ?? {}).map((name) => `Header ${name}.`)].join(" "),
    })),
  );
}

/**
 * Return the schema of an answer; a stream has those of its events.
 * @param {Answer["content"]} content
 * @returns {Schema | undefined}
 */
function answerSchema(content) {
  const [type, part] = Object.entries(content ?? {})[0] ?? [];
  if (!part) return { type: "nothing" };
  const events = part["x-events"];
  return events ? { oneOf: Object.values(events) } : (part.schema ?? { type });
}
