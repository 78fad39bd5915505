/** Which orchestrations of a list somebody looks for, and how those of one pipeline are one entry of it. */

/** What of an orchestration in progress needs a look, by the names that the filter of the list has for it. */
/** @type {Map<string, (view: OrchestrationView) => boolean>} */
const LOOKS = new Map([
  ["standstill", (view) => view.standstill !== null],
  ["waits", (view) => view.waits_for !== null],
]);

/**
 * Return the status of the API for a status of the list's filter.
 * @param {string | null} status
 */
export const toApiStatus = (status) => (status && LOOKS.has(status) ? "InProgress" : status);

/**
 * Return the status of an entry: that of the whole pipeline where it is one.
 * @param {OrchestrationView} view
 */
export const statusOf = (view) => view.pipeline_status ?? view.status;

/**
 * Return *views* (newest first) in entries: an orchestration, or the stages of a pipeline, the newest first.
 * @param {Iterable<OrchestrationView>} views
 */
function groupStages(views) {
  /** @type {Map<string, OrchestrationView[]>} */
  const entries = new Map();
  for (const view of views) {
    const key = view.pipeline_id ?? view.orchestration_id;
    const entry = entries.get(key);
    if (entry) entry.push(view);
    else entries.set(key, [view]);
  }
  return entries;
}

/**
 * Return the entries of *views* that fit: those in which each word of *text* is part of an id, the name, the
 * service or a tag, and that have *status* as the filter of the list knows it.
 * @param {Iterable<OrchestrationView>} views
 * @param {string} text
 * @param {string} status
 */
export function findEntries(views, text, status) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return [...groupStages(views)].filter(
    ([, entry]) =>
      hasStatus(entry, status) &&
      words.every((word) => entry.some((view) => searchable(view).includes(word))),
  );
}

/**
 * @param {OrchestrationView[]} entry
 * @param {string} status
 */
function hasStatus(entry, status) {
  if (!status) return true;
  const look = LOOKS.get(status);
  return look ? entry.some(look) : statusOf(entry[0]) === status;
}

/** @type {WeakMap<OrchestrationView, string>} */
const texts = new WeakMap();

/** @param {OrchestrationView} view */
function searchable(view) {
  const text = texts.get(view) ?? describe(view);
  texts.set(view, text);
  return text;
}

/** @param {OrchestrationView} view */
function describe({ orchestration_id: id, job_name: job, service, tags }) {
  const pairs = Object.entries(tags).flatMap(([name, value]) => [`${name}=${value}`, `${name}: ${value}`]);
  return [id, job, service, ...pairs].join("\n").toLowerCase();
}
