// What is known about one series: statistics of its window, trend, season and prediction.

import { h } from '../dom.js'
import { facts, time } from '../parts.js'
import { t, word } from '../strings.js'
import { duration, number, short, unknown } from '../format.js'

export function sensorDetail(one, color) {
  const unit = value => (Number.isFinite(value) ? `${short(value)}${one.unit ? ` ${one.unit}` : ''}` : unknown)
  const w = one.window
  return h('section', { class: 'card sensor-detail', style: { '--dot': color } },
    h('h2', { class: 'card-title' }, h('span', { class: 'legend-key', 'aria-hidden': 'true', style: { background: color } }), h('span', { class: 'break' }, `${one.device} ${one.field}`)),
    h('p', { class: 'sensor-now' }, h('span', { class: 'sensor-big num' }, one.last ? unit(one.last.value) : unknown), one.last && time(one.last.at, 'muted small')),
    facts(
      w && [t('sensor.range'), `${unit(w.min)} … ${unit(w.max)}`], w && [t('sensor.mean'), `${unit(w.mean)} ± ${short(w.deviation)}`], w && [t('sensor.p50_p95'), `${unit(w.p50)}, ${unit(w.p95)}`], w && [t('sensor.count'), number(w.count)],
      one.trend && [t('sensor.trend'), `${word('trend', one.trend.simple)}; ${t(one.trend.significant ? 'sensor.slope' : 'sensor.slope.none', { slope: short(one.trend.slope) })}`],
      [t('sensor.season'), one.season ? t('sensor.season.period', { period: duration(one.season.period_s) }) : null],
      [t('sensor.prediction'), one.prediction ? `${unit(one.prediction.value)} (${short(one.prediction.low)} … ${short(one.prediction.high)})` : t('sensor.prediction.none')],
      one.prediction && [t('sensor.error'), t('sensor.error.compared', { error: short(one.prediction.error), same: short(one.prediction.error_of_same) })]))
}

// download saves what the chart shows as CSV.
export function download(lines, until) {
  const rows = ['at,series,unit,mean,min,max,count,anomaly']
  for (const line of lines) {
    const columns = line.buckets.columns(until)
    const anomalies = new Set(columns.anomalies)
    columns.means.forEach((mean, i) => {
      if (mean === null) return
      rows.push([new Date(columns.times[i] * 1000).toISOString(), cell(line.name), cell(line.unit), mean, columns.lows[i], columns.highs[i], columns.counts[i], anomalies.has(i)].join(','))
    })
  }
  const url = URL.createObjectURL(new Blob([rows.join('\r\n') + '\r\n'], { type: 'text/csv' }))
  h('a', { href: url, download: 'sensors.csv' }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

// cell returns a text as a cell that no spreadsheet runs as a formula.
export function cell(text) {
  const plain = /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}
