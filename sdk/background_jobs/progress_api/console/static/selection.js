/** The instances that somebody selected in the grid, and the line that says so, with what can be done. */

import { color, h, setText } from "./dom.js";
import { count } from "./format.js";
import { rerun } from "./rerun.js";
import { icon } from "./components.js";

export class Selection {
  /** @type {number | null} */
  anchor = null;

  /**
   * Make an empty selection of orchestration *id*; *onChange* is called with the indices that it changed.
   * @param {string} id
   * @param {(indices: number[]) => void} onChange
   */
  constructor(id, onChange) {
    this.id = id;
    this.onChange = onChange;
    /** @type {Set<number>} */
    this.indices = new Set();
    this.text = h("span", { role: "status" });
    this.rerun = h(
      "button",
      {
        type: "button",
        class: "operators-only",
        hidden: true,
        onclick: () => rerun(this.id, { indices: this.ranges() }),
      },
      icon("rerun"),
      "Rerun selected",
    );
    const clear = h("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Clear");
    this.element = h("div", { class: "selection", hidden: true }, this.text, this.rerun, clear);
  }

  /** @param {boolean} isEnded */
  allowRerun(isEnded) {
    this.rerun.hidden = !isEnded;
  }

  /** @param {number} index */
  toggle(index) {
    if (!this.indices.delete(index)) this.indices.add(index);
    this.anchor = index;
    this.changed([index]);
  }

  /**
   * Select all instances from the one that was chosen before to *index*.
   * @param {number} index
   */
  extendTo(index) {
    this.anchor ??= index;
    const [first, last] = [Math.min(this.anchor, index), Math.max(this.anchor, index)];
    const range = Array.from({ length: last - first + 1 }, (_, place) => first + place);
    for (const added of range) this.indices.add(added);
    this.changed(range);
  }

  clear() {
    const before = [...this.indices];
    this.indices.clear();
    this.anchor = null;
    this.changed(before);
  }

  /** @param {number[]} indices */
  changed(indices) {
    this.element.hidden = !this.indices.size;
    setText(this.text, `${count(this.indices.size)} selected`);
    this.onChange(indices);
  }

  /** The indices as the API takes them: `0-99,250`. */
  ranges() {
    /** @type {[number, number][]} */
    const ranges = [];
    for (const index of [...this.indices].sort((one, other) => one - other)) {
      const latest = ranges.at(-1);
      if (latest && latest[1] === index - 1) latest[1] = index;
      else ranges.push([index, index]);
    }
    return ranges.map(([first, last]) => (first === last ? first : `${first}-${last}`)).join(",");
  }

  /**
   * Mark a selected cell whose corner is at *x* and *y*; it stays legible in every state.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   * @param {number} size
   */
  mark(context, x, y, size) {
    const width = Math.max(1, Math.round(size / 6));
    context.lineWidth = width;
    context.strokeStyle = color("text");
    context.strokeRect(x + width / 2, y + width / 2, size - width, size - width);
  }
}
