// A small line without axes, of numbers of which null is a gap.

import { s, replace } from './dom.js'

const width = 120
const height = 32

// sparkline returns an SVG; draw changes its numbers.
export function sparkline(className = '') {
  return s('svg', { class: `sparkline ${className}`.trim(), viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' })
}

export function draw(element, values, { fromZero = true } = {}) {
  const known = values.filter(Number.isFinite)
  if (known.length < 2) return replace(element)
  const low = fromZero ? Math.min(0, ...known) : Math.min(...known)
  const span = Math.max(...known) - low || 1
  const x = i => (i / (values.length - 1)) * width
  const y = v => height - 2 - ((v - low) / span) * (height - 4)
  const runs = runsOf(values)
  const line = runs.map(run => run.map((i, n) => `${n ? 'L' : 'M'}${x(i).toFixed(1)} ${y(values[i]).toFixed(1)}`).join('')).join('')
  const area = runs.map(run => `M${x(run[0]).toFixed(1)} ${height}` + run.map(i => `L${x(i).toFixed(1)} ${y(values[i]).toFixed(1)}`).join('') + `L${x(run.at(-1)).toFixed(1)} ${height}Z`).join('')
  return replace(element, s('path', { class: 'sparkline-area', d: area }), s('path', { class: 'sparkline-line', d: line, 'vector-effect': 'non-scaling-stroke' }))
}

// runsOf returns the indexes of the values without a gap between them.
function runsOf(values) {
  const runs = []
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) return
    if (i > 0 && Number.isFinite(values[i - 1])) runs.at(-1).push(i)
    else runs.push([i])
  })
  return runs
}
