/** JSON of which no digit is lost: numbers that a browser would round are kept as they are written. */

// Only texts with such a number are worth the slower way: many digits, or an exponent.
const LONG = /\d{16}|(?<![\w"-])-?\d[\d.]*e\+?\d/i;

/**
 * Read JSON. A number beyond 2^53 becomes an object that JSON.stringify writes as it was (JSON.rawJSON).
 * @param {string} text
 * @returns {any}
 */
export function parseExactly(text) {
  return LONG.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text);
}

/**
 * @param {string} _name
 * @param {unknown} value
 * @param {{ source?: string }} [context] what older browsers do not tell
 */
function keepDigits(_name, value, context) {
  const isRounded =
    typeof value === "number" &&
    Math.abs(value) > Number.MAX_SAFE_INTEGER &&
    context?.source !== String(value);
  return isRounded && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
}
