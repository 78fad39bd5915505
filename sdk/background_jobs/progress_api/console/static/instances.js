/** The states of all instances of an orchestration, a letter each. */

/**
 * The states by their letters, in the order in which legends name them.
 * @type {Record<string, string>}
 */
export const STATES = { C: "Completed", E: "Errored", r: "running", b: "backing off", w: "waiting" };

export class Instances {
  /** @type {string[]} */
  letters;

  /**
   * Take a snapshot: letters of all instances, and the progress of running ones.
   * @param {string} statuses
   * @param {InstanceProgress[]} progress
   */
  constructor(statuses = "", progress = []) {
    this.letters = Array.from(statuses);
    /** @type {Record<string, number>} */
    this.counts = { C: 0, E: 0, r: 0, b: 0, w: 0 };
    for (const letter of this.letters) this.counts[letter] += 1;
    /** @type {Map<number, number>} */
    this.attempts = new Map();
    /** @type {Map<number, InstanceProgress>} */
    this.progress = new Map();
    this.applyProgress(progress);
  }

  get total() {
    return this.letters.length;
  }

  /**
   * Apply *moves* as the stream tells them, and return the indices that changed.
   * @param {TransitionView[]} moves
   */
  apply(moves) {
    return moves.map(({ index, state, attempt }) => {
      const letter = state[0];
      this.counts[this.letters[index]] -= 1;
      this.counts[letter] += 1;
      this.letters[index] = letter;
      if (attempt === null) this.attempts.delete(index);
      else this.attempts.set(index, attempt);
      if (letter !== "r" || this.progress.get(index)?.attempt !== attempt) this.progress.delete(index);
      return index;
    });
  }

  /**
   * Note the progress of instances, and return the indices of those that run.
   * @param {InstanceProgress[]} advances
   */
  applyProgress(advances) {
    const running = advances.filter(({ index }) => this.letters[index] === "r");
    for (const advance of running) this.progress.set(advance.index, advance);
    return running.map(({ index }) => index);
  }

  /**
   * Return the state of instance *index* in words.
   * @param {number} index
   */
  describe(index) {
    const advance = this.progress.get(index);
    const attempt = advance?.attempt ?? this.attempts.get(index) ?? 0;
    return [
      STATES[this.letters[index]],
      attempt > 1 ? `attempt ${attempt}` : null,
      advance ? `${advance.percent} %` : null,
      advance?.message || null,
    ]
      .filter(Boolean)
      .join(", ");
  }

  /**
   * Return the first instance in state *letter* after *index*, starting again at 0; -1 if there is none.
   * @param {string} letter
   * @param {number} index
   */
  next(letter, index) {
    const next = this.letters.indexOf(letter, index + 1);
    return next === -1 ? this.letters.indexOf(letter) : next;
  }
}
