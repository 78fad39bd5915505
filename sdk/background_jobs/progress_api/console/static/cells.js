/** Paints a cell for each state; states differ in lightness and pattern, not in colour alone. */

import { color, context2d } from "./dom.js";
import { STATES } from "./instances.js";

const LEGIBLE = 10; // device pixels: in smaller cells a sign cannot be seen
const LEVELS = 8; // of progress that the cell of a running instance can show
const PLACES = [...Object.keys(STATES), ...Array.from({ length: LEVELS }, (_, level) => `r${level + 1}`)];

/**
 * Return the pixels of each cell, *size* device pixels wide, by its place.
 * @param {number} size
 */
export function cells(size) {
  const canvas = new OffscreenCanvas(size, size);
  const context = context2d(canvas.getContext("2d", { willReadFrequently: true }));
  return PLACES.map((name) => {
    context.save();
    context.clearRect(0, 0, size, size);
    context.beginPath();
    context.roundRect(0, 0, size, size, size >= 10 ? size * 0.18 : 0);
    context.clip();
    paint(context, size, name[0], Number(name.slice(1)) / LEVELS);
    context.restore();
    return context.getImageData(0, 0, size, size);
  });
}

/**
 * Return the place of an instance in state *letter*, of which *percent* is done (undefined if unknown).
 * @param {string} letter
 * @param {number} [percent]
 */
export function place(letter, percent) {
  const level = letter === "r" && percent ? Math.ceil((percent * LEVELS) / 100) : 0;
  return PLACES.indexOf(level ? `r${level}` : letter);
}

/**
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {number} size
 * @param {string} letter
 * @param {number} done
 */
function paint(context, size, letter, done) {
  const line = Math.max(1, Math.round(size / 9));
  /**
   * @param {string} name
   * @param {[x: number, y: number, width: number, height: number]} box
   */
  const fill = (name, ...box) => {
    context.fillStyle = color(name);
    context.fillRect(...box);
  };
  /** @type {[number, number, number, number]} */
  const all = [0, 0, size, size];
  if (letter === "r") {
    fill("running", ...all);
    fill("running-soft", line, line, size - 2 * line, size - 2 * line);
    const height = Math.round((size - 2 * line) * done);
    if (done) fill("running", line, size - line - height, size - 2 * line, height);
    else fill("running", Math.floor(size / 2 - line), Math.floor(size / 2 - line), 2 * line, 2 * line);
  } else if (letter === "b") {
    fill("backing-off", ...all);
    stroke(
      context,
      "backing-off-ink",
      line,
      [
        [-1, 0.5, 0.5, -1],
        [0, 1, 1, 0],
        [0.5, 1.5, 1.5, 0.5],
      ],
      size,
    );
  } else if (letter === "E") {
    fill("errored", ...all);
    if (size >= LEGIBLE)
      stroke(
        context,
        "errored-ink",
        line,
        [
          [0.25, 0.25, 0.75, 0.75],
          [0.25, 0.75, 0.75, 0.25],
        ],
        size,
      );
  } else {
    fill(letter === "C" ? "completed" : "waiting", ...all);
  }
}

/**
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {string} name
 * @param {number} width
 * @param {number[][]} lines
 * @param {number} size
 */
function stroke(context, name, width, lines, size) {
  context.strokeStyle = color(name);
  context.lineWidth = width;
  context.beginPath();
  for (const [x, y, toX, toY] of lines) {
    context.moveTo(x * size, y * size);
    context.lineTo(toX * size, toY * size);
  }
  context.stroke();
}

/**
 * Return a picture of one cell, for a legend.
 * @param {string} letter
 */
export function swatch(letter) {
  const canvas = document.createElement("canvas");
  canvas.className = "swatch";
  canvas.setAttribute("aria-hidden", "true");
  const draw = () => {
    const size = Math.round(14 * devicePixelRatio);
    canvas.width = canvas.height = size;
    context2d(canvas.getContext("2d")).putImageData(cells(size)[place(letter)], 0, 0);
  };
  addEventListener("themechange", function again() {
    if (canvas.isConnected) draw();
    else removeEventListener("themechange", again);
  });
  draw();
  return canvas;
}
