/** The page of the API, drawn from its OpenAPI document. */

import { h } from "../dom.js";
import { answerTable, findCommonAnswers, listRoutes, operationCard } from "./operations.js";
import { prose, schemaCard, schemaId } from "./schemas.js";

const main = /** @type {HTMLElement} */ (document.getElementById("main"));

try {
  const answer = await fetch(new URL("openapi.json", document.baseURI));
  if (!answer.ok) throw new Error(`The API answered ${answer.status}.`);
  show(await answer.json());
} catch (error) {
  main.append(
    h(
      "div",
      { class: "card notice", role: "alert" },
      h("h2", {}, "The description of the API cannot be read"),
      h("p", {}, `${error instanceof Error ? error.message : error} Load the page again.`),
    ),
  );
}
main.setAttribute("aria-busy", "false");

/** @param {OpenApi} api */
function show(api) {
  const routes = listRoutes(api);
  const tags = [...new Set(routes.map(tagOf))];
  const common = findCommonAnswers(routes);
  const schemas = Object.entries(api.components.schemas);
  main.append(
    about(api),
    h(
      "nav",
      { class: "routes", "aria-label": "Routes" },
      ...tags.flatMap((tag) => [
        h("h2", {}, tag),
        links(routes.filter((route) => tagOf(route) === tag).map(({ operation }) => operation.operationId)),
      ]),
      h("h2", {}, "schemas"),
      links(
        schemas.map(([name]) => name),
        schemaId,
      ),
    ),
    h(
      "div",
      { class: "content" },
      h(
        "article",
        { class: "card" },
        h("h3", {}, "Answers of every route"),
        answerTable("every route", common),
      ),
      ...tags.flatMap((tag) => [
        h("h2", {}, tag),
        ...routes.filter((route) => tagOf(route) === tag).map((route) => operationCard(route, common)),
      ]),
      h("h2", {}, "schemas"),
      ...schemas.map(([name, schema]) => schemaCard(name, schema)),
    ),
  );
  // What the address names was not there when the page was loaded.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

/** @param {Route} route */
function tagOf({ operation }) {
  return operation.tags?.[0] ?? "other";
}

/** @param {OpenApi} api */
function about({ info, components }) {
  return h(
    "div",
    { class: "about" },
    ...info.description.split("\n\n").map((text) => h("p", {}, ...prose(text.replaceAll("\n", " ")))),
    h("h2", {}, "Authentication"),
    ...Object.entries(components.securitySchemes ?? {}).map(([name, scheme]) =>
      h("p", {}, h("code", {}, name), `: ${scheme.description ?? scheme.type}`),
    ),
  );
}

/**
 * @param {string[]} names
 * @param {(name: string) => string} [idOf]
 */
function links(names, idOf = (name) => name) {
  return h("ul", {}, ...names.map((name) => h("li", {}, h("a", { href: `#${idOf(name)}` }, name))));
}
