// The points of a series within a window that moves, in a fixed number of buckets: however many points come, and for
// however long, it takes the same memory and the same time to draw.

export class Buckets {
  constructor(windowMs, length = 600) {
    this.windowMs = windowMs
    this.length = length
    this.width = windowMs / length
    this.numbers = new Float64Array(length).fill(-1) // which bucket since 1970 is in each slot
    this.counts = new Float64Array(length)
    this.sums = new Float64Array(length)
    this.lows = new Float64Array(length)
    this.highs = new Float64Array(length)
    this.anomalies = new Uint8Array(length)
    this.newest = 0
    this.latest = null
  }

  // add adds one point, or a summary of several. What is older than the window, or no finite number, is left out.
  add(at, { value, mean = value, min = value, max = value, count = 1, anomaly = false }) {
    if (![at, mean, min, max].every(Number.isFinite)) return
    const number = Math.floor(at / this.width)
    const slot = number % this.length
    if (number < 0 || number < this.numbers[slot]) return
    if (number > this.numbers[slot]) {
      this.numbers[slot] = number
      this.counts[slot] = this.sums[slot] = this.anomalies[slot] = 0
      this.lows[slot] = Infinity
      this.highs[slot] = -Infinity
    }
    this.counts[slot] += count
    this.sums[slot] += mean * count
    this.lows[slot] = Math.min(this.lows[slot], min)
    this.highs[slot] = Math.max(this.highs[slot], max)
    if (anomaly) this.anomalies[slot] = 1
    if (at < this.newest) return
    this.newest = at
    this.latest = mean
  }

  // columns returns the buckets that end at a time, oldest first: times in seconds, and means, lows, highs, null where
  // there is no point; and the places of those with an anomaly.
  columns(until) {
    const last = Math.floor(until / this.width)
    const result = { times: [], means: [], lows: [], highs: [], counts: [], anomalies: [] }
    for (let number = last - this.length + 1; number <= last; number++) {
      const slot = ((number % this.length) + this.length) % this.length
      const known = this.numbers[slot] === number
      if (known && this.anomalies[slot]) result.anomalies.push(result.times.length)
      result.times.push(((number + 0.5) * this.width) / 1000)
      result.means.push(known ? this.sums[slot] / this.counts[slot] : null)
      result.lows.push(known ? this.lows[slot] : null)
      result.highs.push(known ? this.highs[slot] : null)
      result.counts.push(known ? this.counts[slot] : 0)
    }
    return result
  }
}

// bridged fills gaps of up to that many buckets with a line between their ends: a sensor that sends every ten seconds has
// no gaps in a chart of a minute, and one that was silent has.
export function bridged(means, longest) {
  const result = means.slice()
  let last = -1
  for (let i = 0; i < means.length; i++) {
    if (means[i] === null) continue
    const gap = i - last - 1
    if (last >= 0 && gap > 0 && gap <= longest) {
      for (let j = last + 1; j < i; j++) result[j] = means[last] + ((means[i] - means[last]) * (j - last)) / (i - last)
    }
    last = i
  }
  return result
}
