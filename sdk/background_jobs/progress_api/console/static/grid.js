/** The grid of instances on a canvas, a cell each; only cells that changed are painted again. */

import { cells, place } from "./cells.js";
import { context2d, h, setText } from "./dom.js";
import { count } from "./format.js";
import { Selection } from "./selection.js";

const PITCHES = [28, 24, 20, 18, 16, 14, 13, 12, 11, 10, 9, 8, 7, 6];
const SMALLEST = 5;
const HIGHEST = 460; // CSS pixels; in a higher grid, cells become smaller
const MOST_PIXELS = 16_000; // of a side of a canvas, in every browser
/** @type {Record<string, (grid: Grid) => number>} */
const KEYS = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (grid) => -grid.columns,
  ArrowDown: (grid) => grid.columns,
  PageUp: (grid) => -10 * grid.columns,
  PageDown: (grid) => 10 * grid.columns,
  Home: (grid) => -grid.cursor,
  End: (grid) => grid.instances.total - 1 - grid.cursor,
};

export class Grid {
  /** @type {import("./instances.js").Instances} */
  instances;
  /** @type {number} */
  columns;
  /** @type {number} */
  scale;
  /** @type {number} */
  step;
  /** @type {number} */
  size;
  /** @type {number} */
  pitch;
  /** @type {ImageData[]} */
  cells;
  /** @type {CanvasRenderingContext2D} */
  context;

  /**
   * Make an empty grid of orchestration *id*; *onOpen* is called with an index when an instance is chosen.
   * @param {string} id
   * @param {(index: number) => void} onOpen
   */
  constructor(id, onOpen) {
    this.selection = new Selection(id, (changed) => this.refresh(changed));
    this.onOpen = onOpen;
    /** @type {Set<number>} */
    this.dirty = new Set();
    this.cursor = 0;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.mark = h("div", { class: "cell-mark", hidden: true });
    this.tip = h("div", { class: "tip", hidden: true });
    this.announcement = h("p", { class: "unseen", "aria-live": "polite" });
    this.element = h(
      "div",
      {
        class: "grid",
        tabindex: 0,
        role: "application",
        "aria-label": "Instances",
        "aria-describedby": "grid-keys",
        onkeydown: (event) => this.key(event),
        onpointermove: (event) => this.point(event),
        onpointerleave: () => this.leave(),
        onclick: (event) => this.choose(event),
        onfocus: () => this.point(null),
        onblur: () => this.leave(),
      },
      this.canvas,
      this.mark,
      this.tip,
      this.announcement,
    );
    this.resizeObserver = new ResizeObserver(() => this.layOut());
    this.resizeObserver.observe(this.element);
    this.onThemeChange = () => this.layOut();
    addEventListener("themechange", this.onThemeChange);
  }

  close() {
    this.resizeObserver.disconnect();
    removeEventListener("themechange", this.onThemeChange);
  }

  /**
   * Show *instances*, all of them.
   * @param {import("./instances.js").Instances} instances
   */
  show(instances) {
    this.instances = instances;
    this.cursor = Math.min(this.cursor, Math.max(0, instances.total - 1));
    this.layOut();
  }

  /**
   * Paint the cells of *indices* before the next frame.
   * @param {number[]} indices
   */
  refresh(indices) {
    if (!this.dirty.size) requestAnimationFrame(() => this.paint());
    for (const index of indices) this.dirty.add(index);
  }

  layOut() {
    const width = this.element.clientWidth;
    if (!this.instances || !width) return;
    const total = this.instances.total;
    const fits = (/** @type {number} */ pitch) =>
      Math.ceil(total / Math.floor(width / pitch)) * pitch <= HIGHEST;
    const pitch = PITCHES.find(fits) ?? SMALLEST;
    this.columns = Math.max(1, Math.floor(width / pitch));
    const rows = Math.max(1, Math.ceil(total / this.columns));
    this.scale = Math.min(devicePixelRatio, MOST_PIXELS / (pitch * Math.max(this.columns, rows)));
    // Cells and gaps are whole device pixels; otherwise the grid would have stripes.
    this.step = Math.max(1, Math.floor(pitch * this.scale));
    this.size = Math.max(1, this.step - Math.round(gap(pitch) * this.scale));
    this.pitch = this.step / this.scale;
    this.canvas.width = this.columns * this.step;
    this.canvas.height = rows * this.step;
    Object.assign(this.canvas.style, {
      width: `${this.columns * this.pitch}px`,
      height: `${rows * this.pitch}px`,
    });
    this.cells = cells(this.size);
    this.context = context2d(this.canvas.getContext("2d"));
    this.drawAll();
    this.dirty.clear();
    if (!this.mark.hidden) this.moveMark();
  }

  paint() {
    for (const index of this.dirty) this.draw(index);
    if (this.dirty.has(this.cursor) && !this.tip.hidden) this.describe();
    this.dirty.clear();
  }

  /** Compose the image of all cells first: ten thousand calls of a canvas take ten times as long. */
  drawAll() {
    const { width, height } = this.canvas;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const stamps = this.cells.map(({ data }) => new Uint32Array(data.buffer));
    for (let index = 0; index < this.instances.total; index += 1) {
      const [x, y, stamp] = [...this.corner(index), stamps[this.placeOf(index)]];
      for (let row = 0; row < this.size; row += 1) {
        pixels.set(stamp.subarray(row * this.size, (row + 1) * this.size), (y + row) * width + x);
      }
    }
    this.context.putImageData(image, 0, 0);
    for (const index of this.selection.indices)
      this.selection.mark(this.context, ...this.corner(index), this.size);
  }

  /** @param {number} index */
  draw(index) {
    this.context.putImageData(this.cells[this.placeOf(index)], ...this.corner(index));
    if (this.selection.indices.has(index))
      this.selection.mark(this.context, ...this.corner(index), this.size);
  }

  /** @param {number} index */
  placeOf(index) {
    return place(this.instances.letters[index], this.instances.progress.get(index)?.percent);
  }

  /**
   * Return where the cell at *index* begins, in device pixels.
   * @param {number} index
   * @returns {[number, number]}
   */
  corner(index) {
    return [(index % this.columns) * this.step, Math.floor(index / this.columns) * this.step];
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || !this.instances?.total) return;
    const step = KEYS[event.key];
    if (event.key === "Enter") this.onOpen(this.cursor);
    else if (event.key === "e") this.moveTo(Math.max(this.instances.next("E", this.cursor), 0));
    else if (event.key === " ") this.selection.toggle(this.cursor);
    else if (step && event.shiftKey) this.extend(step(this));
    else if (step) this.moveTo(this.cursor + step(this));
    else if (event.key === "Escape") this.leave();
    else return;
    event.preventDefault();
  }

  /** @param {number} index */
  moveTo(index) {
    if (index < 0 || index >= this.instances.total) return;
    this.cursor = index;
    this.point(null);
    this.mark.scrollIntoView({ block: "nearest" });
    setText(this.announcement, `Instance ${count(index)}: ${this.instances.describe(index)}`);
  }

  /** @param {number} step */
  extend(step) {
    this.selection.anchor ??= this.cursor;
    this.moveTo(this.cursor + step);
    this.selection.extendTo(this.cursor);
  }

  /**
   * Mark the cell under the pointer, or else the cursor's.
   * @param {PointerEvent | null} event
   */
  point(event) {
    if (!this.instances?.total) return;
    const index = event ? this.indexAt(event) : this.cursor;
    if (index === null || event?.pointerType === "touch") return this.leave();
    this.cursor = index;
    this.mark.hidden = this.tip.hidden = false;
    this.moveMark();
    return this.describe();
  }

  leave() {
    this.mark.hidden = this.tip.hidden = true;
  }

  /** @param {MouseEvent} event */
  choose(event) {
    const index = this.instances?.total ? this.indexAt(event) : null;
    if (index === null) return;
    this.cursor = index;
    if (event.shiftKey) this.selection.extendTo(index);
    else if (event.ctrlKey || event.metaKey) this.selection.toggle(index);
    else this.onOpen(index);
  }

  /** @param {MouseEvent} event */
  indexAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / this.pitch);
    const row = Math.floor((event.clientY - box.top) / this.pitch);
    const index = row * this.columns + column;
    return column < 0 || column >= this.columns || row < 0 || index >= this.instances.total ? null : index;
  }

  moveMark() {
    const [x, y] = [
      (this.cursor % this.columns) * this.pitch,
      Math.floor(this.cursor / this.columns) * this.pitch,
    ];
    const size = this.size / this.scale;
    Object.assign(this.mark.style, {
      transform: `translate(${x}px, ${y}px)`,
      width: `${size}px`,
      height: `${size}px`,
    });
    const isRight = x > this.element.clientWidth / 2;
    this.tip.style.transform = `translate(${x + (isRight ? 0 : this.pitch)}px, ${y + this.pitch + 4}px)`;
    this.tip.classList.toggle("tip-left", isRight);
  }

  describe() {
    setText(this.tip, `${count(this.cursor)} · ${this.instances.describe(this.cursor)}`);
  }
}

/** @param {number} pitch */
const gap = (pitch) => (pitch >= 16 ? 3 : pitch >= 9 ? 2 : 1);
