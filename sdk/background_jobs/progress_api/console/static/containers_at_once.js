/** How many containers ran at once over time, as a picture whose size does not grow with their number. */

import { h, svg } from "./dom.js";
import { count, moment } from "./format.js";

const HEIGHT = 48;

/**
 * @param {ContainerPage} page
 * @returns {Element[]} none where there were no containers
 */
export function containersAtOnce({ at_once: numbers, began_at: began, until }) {
  const most = Math.max(0, ...numbers);
  if (!most) return [];
  const bars = numbers.map((number, at) => {
    const height = (HEIGHT * number) / most;
    return `M${at} ${HEIGHT}v${-height}h1v${height}z`;
  });
  const label = `Up to ${count(most)} at once`;
  return [
    h("p", { class: "muted" }, label),
    svg(
      "svg",
      {
        viewBox: `0 0 ${numbers.length} ${HEIGHT}`,
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": `${label}, from ${moment(began)} to ${moment(until)}`,
      },
      svg("path", { d: bars.join("") }),
    ),
  ];
}
