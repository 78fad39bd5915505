/** The time by the API's clock: events have the time of AWS, and this machine's clock may be minutes off. */

const TOLERANCE = 2_000; // milliseconds; the `Date` of an answer is precise to the second
let ahead = 0;
/** @type {number | null} */
let stoppedAt = null;

/**
 * Compare this machine's clock with the `Date` of an answer.
 * @param {string | null} date
 */
export function noteServerTime(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  ahead = Math.abs(difference) > TOLERANCE ? difference : 0;
}

/** Return the time in milliseconds since the epoch; while the API is lost, that of the loss. */
export const now = () => stoppedAt ?? Date.now() + ahead;

/**
 * Stop the clock while the API is lost: what is shown is as of then, and nobody knows what happened since.
 * @param {boolean} isLost
 */
export function stopClock(isLost) {
  stoppedAt = isLost ? now() : null;
}
