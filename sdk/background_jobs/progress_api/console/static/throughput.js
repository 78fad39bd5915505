/** Outcomes over time, in equal buckets from the first start: what the API counted, and what came since. */

const MOST_BUCKETS = 480;
const POINTS = 40; // at most; the outcomes of further buckets are drawn together
const TOO_FEW = 0.01; // of all instances
const RECENT = 10; // seconds that the rate of the moment looks back,
const ENOUGH = 5; // or longer, until it has so many outcomes: instances may take hours

export class Throughput {
  /**
   * Take up what `GET .../throughput` answered.
   * @param {ThroughputView} throughput
   */
  constructor({ version, began_at, bucket_seconds, completed, errored }) {
    this.version = version;
    this.began = began_at === null ? null : Date.parse(began_at) / 1_000;
    this.width = bucket_seconds;
    this.completed = completed;
    this.errored = errored;
  }

  /**
   * Count the outcomes among *transitions*, unless they are of a version that was counted already.
   * @param {TransitionView[]} transitions
   * @param {number} version
   */
  add(transitions, version) {
    if (version <= this.version || this.began === null) return;
    for (const { status, at } of transitions) {
      if (status === "InProgress") continue;
      const bucket = this.bucket(Date.parse(at) / 1_000);
      (status === "Completed" ? this.completed : this.errored)[bucket] += 1;
    }
  }

  /**
   * @param {number} at
   * @returns {number}
   */
  bucket(at) {
    let bucket = Math.max(0, Math.floor((at - (this.began ?? 0)) / this.width));
    while (bucket >= MOST_BUCKETS) {
      this.width *= 2;
      this.completed = halve(this.completed);
      this.errored = halve(this.errored);
      bucket = Math.floor(bucket / 2);
    }
    for (let last = this.completed.length; last <= bucket; last += 1) {
      this.completed.push(0);
      this.errored.push(0);
    }
    return bucket;
  }

  /**
   * Return outcomes a second as of *now* (seconds): of the last ten seconds, of two buckets, or of the last
   * five outcomes; null while there are none.
   * @param {number} now
   * @returns {number | null}
   */
  rate(now) {
    if (this.began === null) return null;
    const recent = Math.floor((now - Math.max(RECENT, 2 * this.width) - this.began) / this.width) + 1;
    let [first, ended] = [this.completed.length, 0];
    while (first > 0 && (first > recent || ended < ENOUGH)) {
      first -= 1;
      ended += this.completed[first] + this.errored[first];
    }
    return ended ? ended / Math.max(0.5, now - this.began - first * this.width) : null;
  }

  /**
   * Return the columns of a chart: the first moment and the end of each step (seconds), outcomes a second
   * since the step before, those that errored, and how long the rest would have taken at the rate up to then
   * (null while there are too few outcomes). *until* is the end, or else now, whose bucket is not whole yet and
   * left out. Where nothing has moved since *standsSince*, nobody knows from then on how long the rest takes.
   * @param {number} total
   * @param {number} until
   * @param {boolean} isLive
   * @param {number} [standsSince] seconds
   * @returns {ChartColumns}
   */
  columns(total, until, isLive, standsSince = Infinity) {
    /** @type {ChartColumns} */
    const [at, rates, errors, remaining] = [[], [], [], []];
    if (this.began === null) return [at, rates, errors, remaining];
    if (isLive) this.bucket(until);
    const buckets = this.completed.length - (isLive ? 1 : 0);
    let together = 1;
    while (buckets / together > POINTS) together *= 2;
    for (let first = 0, ended = 0; first < buckets; first += together) {
      const last = Math.min(first + together, buckets);
      const errored = sum(this.errored, first, last);
      const outcomes = sum(this.completed, first, last) + errored;
      const seconds = (last - first) * this.width;
      const passed = Math.min(last * this.width, until - this.began);
      ended += outcomes;
      at.push(this.began + last * this.width);
      rates.push(outcomes / seconds);
      errors.push(errored / seconds);
      const isKnown = ended && ended >= total * TOO_FEW && this.began + passed - seconds <= standsSince;
      remaining.push(isKnown ? ((total - ended) * passed) / ended : null);
    }
    if (!at.length) return [at, rates, errors, remaining];
    return [
      [this.began, ...at],
      [rates[0], ...rates],
      [errors[0], ...errors],
      [null, ...remaining],
    ];
  }
}

/**
 * @param {number[]} counts
 * @param {number} first
 * @param {number} last the first that is left out
 */
function sum(counts, first, last) {
  let found = 0;
  for (let place = first; place < last; place += 1) found += counts[place];
  return found;
}

/** @param {number[]} counts */
function halve(counts) {
  /** @type {number[]} */
  const pairs = [];
  for (let bucket = 0; bucket < counts.length; bucket += 2)
    pairs.push(counts[bucket] + (counts[bucket + 1] ?? 0));
  return pairs;
}
