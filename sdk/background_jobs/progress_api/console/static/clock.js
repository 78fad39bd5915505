/** The time by the API's clock: events have the time of AWS, and this machine's clock may be minutes off. */

const TOLERANCE = 2_000; // milliseconds; the `Date` of an answer is precise to the second
let ahead = 0;

/**
 * Compare this machine's clock with the `Date` of an answer.
 * @param {string | null} date
 */
export function noteServerTime(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  ahead = Math.abs(difference) > TOLERANCE ? difference : 0;
}

/** Return the time in milliseconds since the epoch. */
export const now = () => Date.now() + ahead;
