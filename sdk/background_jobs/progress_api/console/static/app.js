/** The page as a whole: which view an address leads to, and the choice of theme. */

import { byId, h } from "./dom.js";
import { JobsPage } from "./jobs.js";
import { KickOffPage } from "./kick_off.js";
import { ListPage } from "./list.js";
import { OrchestrationPage } from "./orchestration.js";
import { SchedulePage } from "./schedule.js";
import { ScheduleFormPage } from "./schedule_form.js";
import { SchedulesPage } from "./schedules.js";
import { icon } from "./components.js";
import { refusedPage, showPerson } from "./sign_in.js";

const main = byId("main");
const ORCHESTRATION = /^\/orchestrations\/([0-9a-f-]{36})(?:\/instances\/(\d{1,9}))?$/;
const AGAIN = /^\/orchestrations\/([0-9a-f-]{36})\/instances\/(\d{1,9})\/kick-off$/;
const JOB = /^\/jobs\/([^/]+)$/;
const SCHEDULE = /^\/schedules\/([^/]+)(\/change)?$/;
/** @type {{ key: string, view?: View } | null} */
let current = null;

function route() {
  const [path, query] = (location.hash.slice(1) || "/").split("?");
  const match = ORCHESTRATION.exec(path);
  const job = JOB.exec(path);
  const again = AGAIN.exec(path);
  const schedule = SCHEDULE.exec(path);
  markSection(path);
  if (match)
    show(OrchestrationPage, `orchestration ${match[1]}`, {
      id: match[1],
      index: match[2] ? Number(match[2]) : null,
    });
  else if (again)
    show(KickOffPage, path, { query: new URLSearchParams(), from: { id: again[1], index: again[2] } });
  else if (path === "/jobs") show(JobsPage, path, {});
  else if (path === "/schedules") show(SchedulesPage, path, {});
  else if (path === "/new-schedule") show(ScheduleFormPage, path, { name: null });
  else if (job)
    show(KickOffPage, `${path}?${query}`, { name: decode(job[1]), query: new URLSearchParams(query) });
  else if (schedule) show(schedule[2] ? ScheduleFormPage : SchedulePage, path, { name: decode(schedule[1]) });
  else if (path === "/") show(ListPage, "list", { query: new URLSearchParams(query) });
  else if (path === "/signed-out") showAlone(refusedPage(new URLSearchParams(query).get("why") ?? ""));
  else showAlone(nowhere());
}

/**
 * Show a view, or update the current one if only its place is new.
 * @template Place
 * @param {new (root: HTMLElement, place: Place) => View} View
 * @param {string} key
 * @param {Place} place
 */
function show(View, key, place) {
  if (current?.key === key) return current.view?.update(place);
  const isFirst = current === null;
  current?.view?.close();
  main.replaceChildren();
  current = { key, view: new View(main, place) };
  scrollTo(0, 0);
  // Keyboards and screen readers continue at the beginning of the new view.
  if (!isFirst) main.querySelector("h1")?.focus({ preventScroll: true });
}

/**
 * Mark the part of the console that an address belongs to.
 * @param {string} path
 */
function markSection(path) {
  const section = /^\/(jobs|(?:new-)?schedule)/.exec(path)?.[1].replace("new-", "") ?? "orchestrations";
  for (const link of byId("sections").querySelectorAll("a")) {
    if (link.dataset.section === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** @param {string} part of an address, which anybody may have written */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {HTMLElement} element */
function showAlone(element) {
  current?.view?.close();
  current = { key: "alone" };
  main.replaceChildren(element);
}

const nowhere = () =>
  h(
    "div",
    { class: "card notice" },
    h("h1", { tabindex: -1 }, "There is no such page"),
    h("p", {}, h("a", { href: "#/" }, "All orchestrations")),
  );

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
  event.preventDefault(); // the hash of the address belongs to the router
  main.focus();
});
addEventListener("hashchange", route);
route();
showPerson();
