/** The rate and the remaining time of an orchestration, over time; drawn by uPlot. */

import { color, h, setText } from "./dom.js";
import { brief, dayIfNotToday, rate, rateLabels, span, timeOfDay } from "./format.js";

const HEIGHT = 220;
const NARROW = 560;
const [WITH_DAY, WITHOUT_DAY] = [46, 34]; // pixels below the chart
const FEWEST = 4; // the beginning, and three buckets
const STEPS = [
  0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 172_800,
  604_800,
];

export class Chart {
  constructor() {
    this.canvas = h("div", { class: "chart", "aria-hidden": "true" });
    this.readout = h("p", { class: "readout muted" });
    this.element = h("div", {}, this.canvas, this.readout);
    /** @type {ChartColumns} */
    this.columns = [[], [], [], []];
    this.redraw = () => this.draw();
    this.resizeObserver = new ResizeObserver(() =>
      this.plot?.setSize({ width: this.canvas.clientWidth, height: HEIGHT }),
    );
    this.resizeObserver.observe(this.canvas);
    addEventListener("themechange", this.redraw);
  }

  close() {
    this.resizeObserver.disconnect();
    removeEventListener("themechange", this.redraw);
    this.plot?.destroy();
  }

  /**
   * Show the columns that `Throughput.columns` returns; *isLive* says whether more may come.
   * @param {ChartColumns} columns
   * @param {boolean} isLive
   */
  show(columns, isLive) {
    this.columns = columns;
    this.isLive = isLive;
    // Within two buckets there is no course of time to be drawn.
    this.canvas.hidden = !isLive && columns[0].length < FEWEST;
    this.element.parentElement?.classList.toggle("in-words", this.canvas.hidden);
    if (this.canvas.hidden) return this.showReadout();
    if (this.plot) this.plot.setData(columns);
    else if (columns[0].length > 1) this.draw();
    return this.showReadout(this.plot?.cursor.idx);
  }

  draw() {
    this.plot?.destroy();
    const width = this.canvas.clientWidth;
    if (this.columns[0].length < 2 || !width) return;
    /** @type {Plot | undefined} */
    this.plot = new window.uPlot(
      {
        ...options(width < NARROW),
        width,
        height: HEIGHT,
        hooks: { setCursor: [(/** @type {Plot} */ plot) => this.showReadout(plot.cursor.idx)] },
      },
      this.columns,
      this.canvas,
    );
  }

  /**
   * Say in words what the chart shows at *place*, where the pointer is, or else at its end.
   * @param {number | null} [place]
   */
  showReadout(place) {
    const [at, rates, errors, remaining] = this.columns;
    const last = place ?? at.length - 1;
    if (this.canvas.hidden) return setText(this.readout, describeShortRun(at));
    if (at.length < 2) return setText(this.readout, "The chart begins with the first outcomes.");
    const day = dayIfNotToday(at[last] * 1_000);
    const words = [
      day ? `${timeOfDay(at[last], 1)}, ${day}` : timeOfDay(at[last], 1),
      rate(rates[last]),
      errors[last] ? `${rate(errors[last])} errored` : null,
      remaining[last] ? `${span(remaining[last])} to go` : null,
    ];
    return setText(this.readout, words.filter(Boolean).join(" · "));
  }
}

/**
 * Say in words when the outcomes of a run came that was too short for a chart.
 * @param {number[]} at
 */
function describeShortRun(at) {
  if (at.length < 2) return "It ended without any instance having begun.";
  const seconds = Math.max(0.1, at[at.length - 1] - at[0]);
  return `Every outcome came within ${span(seconds)} of the first start, which is too short for a chart.`;
}

/** @param {boolean} isNarrow */
function options(isNarrow) {
  const { paths } = window.uPlot;
  // A value is the mean since the one before: a curve between them would show hills that never were.
  const stepped = paths.stepped({ align: -1 });
  const axis = {
    stroke: color("muted"),
    font: `12px ${getComputedStyle(document.body).fontFamily}`,
    size: isNarrow ? 52 : 60,
    grid: { stroke: color("line"), width: 1 },
    ticks: { show: false },
    gap: 8,
  };
  const series = { points: { show: false }, width: 1.5 };
  return {
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    padding: [8, 4, 0, 0],
    scales: {
      rate: { range: fromZero },
      left: { range: fromZeroIfAny },
    },
    axes: [
      {
        ...axis,
        size: (/** @type {Plot} */ _plot, /** @type {string[] | null} */ labels) =>
          labels?.some((label) => label.includes("\n")) ? WITH_DAY : WITHOUT_DAY,
        grid: { show: false },
        space: 80,
        values: moments,
      },
      { ...axis, scale: "rate", values: rates },
      {
        ...axis,
        scale: "left",
        side: 1,
        grid: { show: false },
        incrs: STEPS,
        values: spans,
      },
    ],
    series: [
      {},
      {
        ...series,
        scale: "rate",
        stroke: color("completed"),
        fill: color("completed-faint"),
        paths: stepped,
      },
      {
        ...series,
        scale: "rate",
        stroke: color("errored"),
        fill: color("errored-faint"),
        paths: stepped,
      },
      { ...series, scale: "left", stroke: color("remaining"), dash: [5, 4] },
    ],
  };
}

/**
 * The range of a scale that begins at 0, with room above *most*.
 * @param {Plot} _plot
 * @param {number} _least
 * @param {number} most
 */
const fromZero = (_plot, _least, most) => [0, most * 1.08 || 1];

/**
 * The same, and no labels where there is no value.
 * @param {Plot} plot
 * @param {number | null} least
 * @param {number} most
 */
const fromZeroIfAny = (plot, least, most) => (least === null ? [null, null] : fromZero(plot, least, most));

/**
 * @param {Plot} _plot
 * @param {number[]} ticks
 * @param {number} _axis
 * @param {number} _space
 * @param {number} step
 */
const moments = (_plot, ticks, _axis, _space, step) =>
  ticks.map((at, place) => {
    const day = place === 0 && step < 86_400 ? dayIfNotToday(at * 1_000) : "";
    return day ? `${timeOfDay(at, step)}\n${day}` : timeOfDay(at, step);
  });

/**
 * @param {Plot} _plot
 * @param {number[]} ticks
 */
const rates = (_plot, ticks) => rateLabels(ticks);

/**
 * @param {Plot} _plot
 * @param {number[]} ticks
 */
const spans = (_plot, ticks) => ticks.map(brief);
