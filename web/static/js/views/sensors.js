// Sensors: their present values, a live chart of some of them, and what was concluded.

import { h, icon, keyed, replace } from '../dom.js'
import { get } from '../api.js'
import { Buckets } from '../buckets.js'
import { Chart, mostSeries, seriesColor } from '../chart.js'
import { Stream } from '../stream.js'
import { badge, button, card, code, emptyState, errorState, loading, notice } from '../parts.js'
import { poll } from '../live.js'
import { go } from '../router.js'
import { t, word } from '../strings.js'
import { short } from '../format.js'
import { insights } from './insights.js'
import { download, sensorDetail } from './sensor_detail.js'

const windows = { '1m': 60, '5m': 300, '15m': 900, '1h': 3600, '6h': 6 * 3600, '24h': 86400, '7d': 7 * 86400 }
const listInterval = 5000
const drawInterval = 100
const mostListed = 200
const exampleTopic = 'sensors/room_101/temperature'

export function sensors(parameters) {
  let list = null, window_ = windowOf(parameters), chosen = idsOf(parameters), lines = []
  let paused = false, until = Date.now(), stream = null, ending = new AbortController()
  const place = h('div', {}, loading(6))
  const plot = h('div', { class: 'chart' })
  const readout = h('p', { class: 'readout num small', 'aria-hidden': 'true' })
  const legend = h('ul', { class: 'legend' })
  const rows = h('ul', { class: 'sensor-list' })
  const search = h('input', { type: 'search', placeholder: t('sensors.search'), 'aria-label': t('sensors.search'), on: { input: () => renderList() } })
  const detail = h('div')
  const bar = h('div', { class: 'chart-bar' })
  const dropped = h('p', { class: 'warning', hidden: true })
  const chart = new Chart(plot, showCursor)
  const found = insights()
  let built = false

  function build() {
    built = true
    drawBar()
    replace(place, dropped, h('div', { class: 'sensors' },
      h('div', { class: 'sensors-main' }, card(null, bar, plot, legend), detail, found.element),
      h('section', { class: 'card sensors-side' }, h('h2', { class: 'card-title' }, t('sensors.all')), search, rows)))
  }

  function drawBar() {
    const pick = h('select', { 'aria-label': t('sensors.window'), on: { change: () => show({ window: pick.value }) } }, Object.keys(windows).map(name => h('option', { value: name, selected: name === window_ }, t(`window.${name}`))))
    const pause = button(paused ? t('sensors.resume') : t('sensors.pause'), () => {
      paused = !paused
      drawBar()
    }, { iconName: paused ? 'play' : 'pause', kind: 'small' })
    replace(bar, pick, readout, h('div', { class: 'actions' }, pause, button('CSV', () => download(lines, until), { iconName: 'download', kind: 'small' })))
  }

  const show = change => go({ view: 'sensors', window: change.window ?? window_, ids: (change.ids ?? chosen).map(encodeURIComponent).join(',') }, { replacing: true })

  function renderList() {
    const wanted = search.value.trim().toLowerCase()
    search.hidden = list.length < 8
    const matching = list.filter(one => chosen.includes(one.id) || `${one.device} ${one.field} ${one.location ?? ''}`.toLowerCase().includes(wanted))
    keyed(rows, matching.slice(0, mostListed), one => one.id, one => {
      const row = h('li')
      fillRow(row, one)
      return row
    }, fillRow)
  }

  function fillRow(row, one) {
    const place = chosen.indexOf(one.id)
    const text = JSON.stringify([one.last, one.state, one.trend, place])
    if (row.dataset.drawn === text) return
    row.dataset.drawn = text
    const box = row.querySelector('input') ?? h('input', { type: 'checkbox', on: { change: () => toggle(one.id, box.checked) } })
    box.checked = place >= 0
    const label = h('label', { class: 'sensor-row', style: place >= 0 ? { '--dot': seriesColor(place) } : {} }, box,
      h('span', { class: 'sensor-name' }, h('b', { class: 'clip' }, one.field), h('span', { class: 'muted small clip' }, [one.device, one.location].filter(Boolean).join(' · '))),
      h('span', { class: 'sensor-value' }, h('span', { class: 'num' }, one.last ? `${short(one.last.value)}${one.unit ? ` ${one.unit}` : ''}` : t('unknown')), one.state === 'fresh' ? trendIcon(one.trend) : badge(word('sensor', one.state), 'badge-warn')))
    const hadFocus = document.activeElement === box
    replace(row, label)
    if (hadFocus) box.focus()
  }

  function toggle(id, on) {
    if (on && chosen.length >= mostSeries) {
      notice(t('sensors.too_many', { n: mostSeries }), 'bad')
      renderList()
      for (const box of rows.querySelectorAll(`input`)) box.checked = chosen.includes(box.closest('li').dataset.key)
      return
    }
    show({ ids: on ? [...chosen, id] : chosen.filter(one => one !== id) })
  }

  // follow reads the chosen series' points and then follows their stream.
  async function follow() {
    ending.abort()
    ending = new AbortController()
    stream?.stop()
    const { signal } = ending
    const windowMs = windows[window_] * 1000
    const known = chosen.map(id => list.find(one => one.id === id)).filter(Boolean)
    lines = known.map(one => ({ id: one.id, name: `${one.device} ${one.field}`, unit: one.unit ?? '', buckets: new Buckets(windowMs), interval: windowMs / 60, prediction: one.prediction }))
    chart.show(lines)
    drawLegend()
    drawDetail()
    const byID = new Map(lines.map(line => [line.id, line]))
    const failures = await Promise.all(lines.map(line => fill(line, windowMs, signal)))
    if (signal.aborted || !lines.length) return
    const failed = failures.find(Boolean)
    if (failed) notice(failed.message, 'bad')
    stream = new Stream(`/api/sensors/stream?${new URLSearchParams(lines.map(line => ['id', line.id]))}`, event => {
      if (event.type === 'gap') return follow() // more is missing than the server still sends
      if (event.type !== 'point') return
      const point = readPoint(event.data)
      byID.get(point?.id)?.buckets.add(Date.parse(point.at), point)
    })
    if (!document.hidden) stream.start(true)
  }

  async function fill(line, windowMs, signal) {
    const now = Date.now()
    try {
      const { points } = await get(`/api/sensors/${encodeURIComponent(line.id)}/points`, { since: new Date(now - windowMs).toISOString(), until: new Date(now).toISOString(), step: stepOf(windowMs) }, signal)
      for (const point of points) line.buckets.add(Date.parse(point.at), point)
      line.interval = usualInterval(points) ?? line.interval
      return null
    } catch (error) {
      return signal.aborted ? null : error
    }
  }

  function drawLegend() {
    replace(legend, lines.map((line, i) => h('li', {}, h('span', { class: 'legend-key', 'aria-hidden': 'true', style: { background: seriesColor(i) } }), h('span', { class: 'break' }, line.name), ' ', line.value = h('b', { class: 'num' }))),
      lines.some(line => line.prediction) && h('li', { class: 'muted small' }, t('sensors.prediction_key')), h('li', { class: 'muted small' }, icon('anomaly', 'anomaly-key'), t('sensors.anomaly_key')))
  }

  function drawDetail() {
    const known = lines.map(line => list.find(one => one.id === line.id)).filter(Boolean)
    replace(detail, h('div', { class: 'sensor-details' }, known.map((one, i) => sensorDetail(one, seriesColor(i)))))
  }

  function showCursor(at) {
    readout.textContent = at ? `${at.time}  ${at.values.filter(one => Number.isFinite(one.value)).map(one => `${one.name}: ${short(one.value)}${one.unit ? ` ${one.unit}` : ''}`).join('  ')}` : ''
  }

  const poller = poll(listInterval, async signal => {
    try {
      const answer = await get('/api/sensors', {}, signal)
      const first = list === null || list.length === 0
      list = answer.sensors
      if (list.length === 0) return replace(place, noSensors())
      if (!built) build()
      if (!place.contains(rows)) build()
      dropped.hidden = !answer.dropped
      replace(dropped, icon('alert'), h('span', {}, t('sensors.dropped', { n: answer.dropped })))
      if (chosen.length === 0 && first) chosen = [(list.find(one => one.state === 'fresh') ?? list[0]).id]
      renderList()
      if (first) return follow()
      for (const line of lines) line.prediction = list.find(one => one.id === line.id)?.prediction ?? null
      drawDetail()
    } catch (error) {
      if (signal.aborted) return
      if (error.status === 404) replace(place, noSensors())
      else if (list === null) replace(place, errorState(error, () => poller.now()))
      if (error.status === 403) poller.stop()
    }
  })

  let frame = 0
  const timer = setInterval(() => {
    if (document.hidden || paused || !lines.length || frame) return
    frame = requestAnimationFrame(() => {
      frame = 0
      // The newest point ends the chart where a sensor's clock is ahead of this browser's.
      until = Math.max(Date.now(), ...lines.map(line => line.buckets.newest))
      chart.draw(until)
      for (const line of lines) showValue(line)
    })
  }, drawInterval)

  const rest = () => {
    if (document.hidden) stream?.stop()
    else if (built) follow() // with the points that came meanwhile
  }
  const redraw = () => chart.show(lines)
  document.addEventListener('visibilitychange', rest)
  window.addEventListener('themechange', redraw)
  return {
    title: t('nav.sensors'),
    element: h('div', { class: 'view' }, h('div', { class: 'view-head' }, h('h1', {}, t('nav.sensors'))), place),
    update(changed) {
      window_ = windowOf(changed)
      chosen = idsOf(changed)
      if (!list?.length) return
      renderList()
      follow()
    },
    stop() {
      clearInterval(timer)
      cancelAnimationFrame(frame)
      ending.abort()
      stream?.stop()
      poller.stop()
      found.stop()
      chart.destroy()
      document.removeEventListener('visibilitychange', rest)
      window.removeEventListener('themechange', redraw)
    },
  }
}

const windowOf = parameters => (parameters.window in windows ? parameters.window : '5m')
const idsOf = parameters => (parameters.ids ? parameters.ids.split(',').map(decode).filter(Boolean).slice(0, mostSeries) : [])

function decode(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

// stepOf is the length of the points to ask for, in whole seconds.
const stepOf = windowMs => Math.max(1, Math.round(windowMs / 600_000))

function showValue(line) {
  const text = line.buckets.latest === null ? '' : `${short(line.buckets.latest)}${line.unit ? ` ${line.unit}` : ''}`
  if (line.value.textContent !== text) line.value.textContent = text
}

function readPoint(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null // not understood: it is not drawn
  }
}

// usualInterval returns the median time between points in ms.
function usualInterval(points) {
  const gaps = points.slice(1).map((point, i) => Date.parse(point.at) - Date.parse(points[i].at)).filter(gap => gap > 0).sort((a, b) => a - b)
  return gaps.length >= 3 ? gaps[gaps.length >> 1] : null
}

function trendIcon(trend) {
  const direction = { increasing: 'up', decreasing: 'down', stable: 'flat' }[trend?.simple]
  return direction && h('span', { class: 'trend', data: { tip: word('trend', trend.simple) } }, icon(direction), h('span', { class: 'visually-hidden' }, word('trend', trend.simple)))
}

function noSensors() {
  return h('section', { class: 'card' }, emptyState('sensors', t('sensors.empty'), t('sensors.empty.text'), code(`mosquitto_pub -h ${location.hostname} -t ${exampleTopic} -m 'Temperature: 23.5'`)))
}

