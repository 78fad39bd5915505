/** The time by the API's clock: events carry that of AWS, and this machine's may be minutes off. */

const TOLERANCE = 2_000; // milliseconds; an answer says when it was made to the second
let ahead = 0;

/**
 * Note what the `Date` of an answer says.
 * @param {string | null} date
 */
export function noteServerTime(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  ahead = Math.abs(difference) > TOLERANCE ? difference : 0;
}

/** Return the time in milliseconds since the epoch. */
export const now = () => Date.now() + ahead;
