/** Outcomes over time, in equal buckets from the first start: what the API counted, and what came since. */

const MOST_BUCKETS = 480;
const POINTS = 40; // each rate is the mean over a fortieth of the chart, so that the curve is smooth
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
   * Return the columns of a chart: the first moment and the end of each bucket (seconds), outcomes a second
   * up to then, those that errored, and how long the rest would have taken at the rate up to then (null while there are too few outcomes).
   * *until* is the end, or else now, whose bucket is not whole yet and left out. Where nothing has moved since
   * *standsSince*, nobody knows from then on how long the rest takes.
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
    for (let bucket = 0, ended = 0; bucket < buckets; bucket += 1) {
      const passed = Math.min((bucket + 1) * this.width, until - this.began);
      ended += this.completed[bucket] + this.errored[bucket];
      at.push(this.began + (bucket + 1) * this.width);
      rates.push((this.completed[bucket] + this.errored[bucket]) / this.width);
      errors.push(this.errored[bucket] / this.width);
      const isKnown = ended && ended >= total * TOO_FEW && this.began + passed - this.width <= standsSince;
      remaining.push(isKnown ? ((total - ended) * passed) / ended : null);
    }
    if (!at.length) return [at, rates, errors, remaining];
    const width = Math.ceil(buckets / POINTS);
    const [means, meansOfErrors] = [smooth(rates, width), smooth(errors, width)];
    return [
      [this.began, ...at],
      [means[0], ...means],
      [meansOfErrors[0], ...meansOfErrors],
      [null, ...remaining],
    ];
  }
}

/**
 * Return the mean of each value and those before it, *width* in all.
 * @param {number[]} values
 * @param {number} width
 */
function smooth(values, width) {
  let sum = 0;
  return values.map((value, place) => {
    sum += value - (place >= width ? values[place - width] : 0);
    return sum / Math.min(width, place + 1);
  });
}

/** @param {number[]} counts */
function halve(counts) {
  /** @type {number[]} */
  const pairs = [];
  for (let bucket = 0; bucket < counts.length; bucket += 2)
    pairs.push(counts[bucket] + (counts[bucket + 1] ?? 0));
  return pairs;
}
