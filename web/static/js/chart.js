// The live chart of up to six series, drawn by uPlot.

import uPlot from '../vendor/uplot.js'
import { bridged } from './buckets.js'
import { color } from './prefs.js'
import { number, short, timeOfDay } from './format.js'

export const mostSeries = 6
const height = 320
// The share of the width at the right that is for the prediction.
const ahead = 0.06

export const seriesColor = i => `var(--s${(i % mostSeries) + 1})`

// Chart draws lines: { name, unit, buckets, interval, prediction }, of which interval is the usual time between points in
// ms, and prediction { low, high, value } or null.
export class Chart {
  #plot = null
  #lines = []
  #marks = []
  #until = 0
  #element
  #onCursor
  #observer

  constructor(element, onCursor) {
    this.#element = element
    this.#onCursor = onCursor
    this.#observer = new ResizeObserver(() => this.#plot?.setSize(this.#size()))
    this.#observer.observe(element)
  }

  // show takes other lines.
  show(lines) {
    this.#plot?.destroy()
    this.#plot = null
    this.#lines = lines
    if (!lines.length) return
    const units = [...new Set(lines.map(line => line.unit))]
    const ink = color('muted'), grid = color('line')
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 }, font: '12px system-ui, sans-serif' }
    this.#plot = new uPlot({
      ...this.#size(), padding: [10, 28, 0, 0], legend: { show: false }, cursor: { y: false, points: { size: 7 }, drag: { setScale: false, x: false, y: false } },
      scales: { x: { time: true, range: () => this.#range() }, ...Object.fromEntries(units.map(unit => [scaleOf(unit), { auto: true }])) },
      axes: [{ ...axis, size: 34, space: 70, values: (_, splits) => splits.map(seconds => timeLabel(seconds, this.#lines[0]?.buckets.windowMs)) },
        ...units.slice(0, 2).map((unit, i) => ({ ...axis, scale: scaleOf(unit), side: i ? 1 : 3, size: 56, grid: { ...axis.grid, show: i === 0 }, values: (_, splits) => splits.map(value => `${short(value)}${unit ? ` ${unit}` : ''}`) }))],
      series: [{}, ...lines.map((line, i) => ({ label: line.name, scale: scaleOf(line.unit), stroke: color(`s${(i % mostSeries) + 1}`), width: 2, spanGaps: false,
        // A line needs two points: the first value of a sensor, and one between gaps, is a dot.
        points: { show: true, size: 6, width: 0, fill: color(`s${(i % mostSeries) + 1}`), filter: (plot, n) => alone(plot.data[n]) } }))],
      hooks: { draw: [plot => this.#decorate(plot)], setCursor: [plot => this.#cursor(plot)] },
    }, [[], ...lines.map(() => [])], this.#element)
  }

  // draw shows the lines as they are at a time in ms.
  draw(until) {
    if (!this.#plot) return
    this.#until = until
    const columns = this.#lines.map(line => line.buckets.columns(until))
    this.#marks = columns.map(one => one.anomalies.map(i => [one.times[i], one.highs[i] === one.lows[i] ? one.means[i] : farther(one, i)]))
    const means = columns.map((one, i) => bridged(one.means, Math.ceil((3 * this.#lines[i].interval) / this.#lines[i].buckets.width)))
    this.#plot.setData([columns[0].times, ...means])
  }

  destroy() {
    this.#observer.disconnect()
    this.#plot?.destroy()
    this.#plot = null
  }

  #size() {
    return { width: Math.max(220, this.#element.clientWidth), height: window.innerWidth < 640 ? 240 : height }
  }

  #range() {
    const window = this.#lines[0].buckets.windowMs
    return [(this.#until - window) / 1000, (this.#until + window * ahead) / 1000]
  }

  // decorate draws what uPlot has no series for: where the next value is expected, and anomalies.
  #decorate(plot) {
    const c = plot.ctx
    const scale = devicePixelRatio
    c.save()
    c.beginPath()
    c.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height)
    c.clip()
    this.#lines.forEach((line, i) => {
      const unit = scaleOf(line.unit)
      const y = value => plot.valToPos(value, unit, true)
      if (line.prediction) {
        const from = plot.valToPos(this.#until / 1000, 'x', true), to = plot.bbox.left + plot.bbox.width
        c.fillStyle = c.strokeStyle = color(`s${(i % mostSeries) + 1}`)
        c.globalAlpha = 0.22
        c.fillRect(from, y(line.prediction.high), to - from, y(line.prediction.low) - y(line.prediction.high))
        c.globalAlpha = 1
        c.lineWidth = 2 * scale
        c.setLineDash([4 * scale, 3 * scale])
        c.beginPath()
        c.moveTo(from, y(line.prediction.value))
        c.lineTo(to, y(line.prediction.value))
        c.stroke()
        c.setLineDash([])
      }
      c.strokeStyle = color('bad')
      c.fillStyle = color('surface')
      c.lineWidth = 2 * scale
      for (const [seconds, value] of this.#marks[i] ?? []) {
        c.beginPath()
        diamond(c, plot.valToPos(seconds, 'x', true), y(value), 5.5 * scale)
        c.fill()
        c.stroke()
      }
    })
    c.restore()
  }

  #cursor(plot) {
    const i = plot.cursor.idx
    if (i === null || i === undefined) return this.#onCursor(null)
    this.#onCursor({ time: timeOfDay(plot.data[0][i] * 1000), values: this.#lines.map((line, n) => ({ name: line.name, unit: line.unit, value: plot.data[n + 1][i] })) })
  }
}

// alone returns where a value has none beside it.
export const alone = values => [...values.keys()].filter(i => known(values[i]) && !known(values[i - 1]) && !known(values[i + 1]))

const known = value => value !== null && value !== undefined

const scaleOf = unit => `unit ${unit}`

function diamond(c, x, y, size) {
  c.moveTo(x, y - size)
  c.lineTo(x + size, y)
  c.lineTo(x, y + size)
  c.lineTo(x - size, y)
  c.closePath()
}

// farther returns the end of a bucket that is farther from its mean: the anomaly is there.
function farther(columns, i) {
  const { highs, lows, means } = columns
  return highs[i] - means[i] > means[i] - lows[i] ? highs[i] : lows[i]
}

function timeLabel(seconds, windowMs) {
  if (windowMs <= 86_400_000) return timeOfDay(seconds * 1000).replace(windowMs > 900_000 ? /:\d\d(?=\D*$)/ : /$^/, '')
  const time = new Date(seconds * 1000)
  return `${number(time.getMonth() + 1)}/${number(time.getDate())}`
}
