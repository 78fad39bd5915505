/** The page as a whole: which view an address leads to, and the choice of theme. */

import { byId, h } from "./dom.js";
import { ListPage } from "./list.js";
import { OrchestrationPage } from "./orchestration.js";
import { icon } from "./components.js";

const main = byId("main");
const ORCHESTRATION = /^\/orchestrations\/([0-9a-f-]{36})(?:\/instances\/(\d{1,9}))?$/;
/** @type {{ key: string, view?: View } | null} */
let shown = null;

function route() {
  const [path, query] = (location.hash.slice(1) || "/").split("?");
  const found = ORCHESTRATION.exec(path);
  if (found)
    show(OrchestrationPage, `orchestration ${found[1]}`, {
      id: found[1],
      index: found[2] ? Number(found[2]) : null,
    });
  else if (path === "/") show(ListPage, "list", { query: new URLSearchParams(query) });
  else nowhere();
}

/**
 * Show a view, or tell the one that is shown already of its new place.
 * @template Place
 * @param {new (root: HTMLElement, place: Place) => View} View
 * @param {string} key
 * @param {Place} place
 */
function show(View, key, place) {
  if (shown?.key === key) return shown.view?.update(place);
  const isFirst = shown === null;
  shown?.view?.close();
  main.replaceChildren();
  shown = { key, view: new View(main, place) };
  scrollTo(0, 0);
  // Who uses a keyboard or a screen reader goes on at the new view's beginning.
  if (!isFirst) main.querySelector("h1")?.focus({ preventScroll: true });
}

function nowhere() {
  shown?.view?.close();
  shown = { key: "nowhere" };
  main.replaceChildren(
    h(
      "div",
      { class: "card notice" },
      h("h1", { tabindex: -1 }, "There is no such page"),
      h("p", {}, h("a", { href: "#/" }, "All orchestrations")),
    ),
  );
}

const toggle = byId("theme");

function showTheme() {
  const name = window.theme.get();
  toggle.replaceChildren(icon(name), h("span", {}, name[0].toUpperCase() + name.slice(1)));
  toggle.setAttribute("aria-label", `Theme: ${name}`);
  toggle.title = `Theme: ${name}`;
}

toggle.addEventListener("click", () => window.theme.next());
addEventListener("themechange", showTheme);
showTheme();

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the router's
  main.focus();
});
addEventListener("hashchange", route);
route();
