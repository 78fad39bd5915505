/** Pages of a list: where one is in it, and the buttons to the page before and to the next. */

import { h, setText } from "./dom.js";
import { count } from "./format.js";
import { icon } from "./components.js";

export class Pager {
  /**
   * Make the pager of a list of *what*; *onTurn* is called with the token of a page, null for the first.
   * @param {string} what
   * @param {(token: string | null) => void} onTurn
   */
  constructor(what, onTurn) {
    this.onTurn = onTurn;
    /** @type {(string | null)[]} */
    this.before = []; // tokens of the pages up to this one
    /** @type {string | null} */
    this.token = null;
    /** @type {string | null} */
    this.next = null;
    this.first = 0;
    this.place = h("span", { class: "muted", "aria-live": "polite" });
    this.back = this.button("left", `Previous ${what}`, () => this.turnBack());
    this.forth = this.button("right", `Next ${what}`, () => this.turnForth());
    this.element = h("div", { class: "pager", hidden: true }, this.place, this.back, this.forth);
  }

  /**
   * @param {string} sign
   * @param {string} label
   * @param {() => void} onclick
   */
  button(sign, label, onclick) {
    return h("button", { type: "button", class: "quiet small", "aria-label": label, onclick }, icon(sign));
  }

  /**
   * Say where the page of *size* items is among *all*, and which page is next; hidden where there is one.
   * @param {number} size
   * @param {number} all
   * @param {string | null} next
   */
  show(size, all, next) {
    this.size = size;
    this.next = next;
    this.element.hidden = !next && !this.before.length;
    setText(this.place, `${count(this.first + 1)}–${count(this.first + size)} of ${count(all)}`);
    this.mark(this.back, !this.before.length);
    this.mark(this.forth, !next);
  }

  /**
   * Mark a button that leads nowhere; it keeps the focus, which a disabled one would lose.
   * @param {HTMLButtonElement} button
   * @param {boolean} isOff
   */
  mark(button, isOff) {
    button.setAttribute("aria-disabled", String(isOff));
  }

  turnForth() {
    if (this.next === null) return;
    this.before.push(this.token);
    this.first += this.size ?? 0;
    this.turn(this.next);
  }

  turnBack() {
    if (!this.before.length) return;
    const token = this.before.pop() ?? null;
    this.first = Math.max(0, this.first - PAGE);
    this.turn(token);
  }

  /** @param {string | null} token */
  turn(token) {
    this.token = token;
    this.onTurn(token);
  }
}

/** How many items a page has, of causes and of instances. */
export const PAGE = 20;
