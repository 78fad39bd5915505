/** How many containers ran at once over time, as a picture whose size does not grow with their number. */

import { h, svg } from "./dom.js";
import { between, count, moment } from "./format.js";

const HEIGHT = 48;

/**
 * The cells of a row of the table of launches: the picture has the same axis as their bars.
 * @param {ContainerPage} page
 * @returns {Element[]} none where there were no containers
 */
export function containersAtOnce({ at_once: numbers, bucket_seconds: width, began_at: began, until }) {
  const most = Math.max(0, ...numbers);
  if (!most) return [];
  const bars = numbers.map((number, at) => {
    const height = (HEIGHT * number) / most;
    return `M${at} ${HEIGHT}v${-height}h1v${height}z`;
  });
  const label = `Up to ${count(most)} at once`;
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${Math.max(1, between(began, until)) / width} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": `${label}, from ${moment(began)} to ${moment(until)}`,
    },
    svg("path", { d: bars.join("") }),
  );
  return [
    h("th", { scope: "row", colspan: 3 }, label),
    h("td", { class: "track" }, picture),
    h("td", { colspan: 3 }),
  ];
}
