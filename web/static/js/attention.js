// How many things are wrong: in the title, the favicon, and a line at the top that leads to what to do.

import { h, icon, replace } from './dom.js'
import { live } from './live.js'
import { t } from './strings.js'

// problems returns what is wrong now, worst first: { severity, name, reason }.
export function problems() {
  if (!live.reachable) return [{ severity: 'unavailable', name: 'connection', reason: t('error.offline') }]
  const health = live.health
  if (!health || health.status === 'ok') return []
  const reasons = health.reasons ?? [{ severity: health.status, name: 'service', reason: t(`health.${health.status}.unexplained`) }]
  return [...reasons].sort((a, b) => (b.severity === 'unavailable') - (a.severity === 'unavailable'))
}

// level is ok, degraded, unavailable, or unknown before the first answer.
export function level() {
  if (!live.reachable) return 'unavailable'
  return live.health?.status ?? 'unknown'
}

let page = ''

export function setPageTitle(title) {
  page = title
  updateTitle()
}

function updateTitle() {
  const count = problems().length
  document.title = `${count ? `(${count}) ` : ''}${page ? `${page} · ` : ''}edgelens`
}

let drawn = ''

// showAttention updates the title, the favicon and the pill in the frame.
export function showAttention(pill) {
  updateTitle()
  const now = level(), count = problems().length
  const text = now === 'ok' ? t('health.ok') : now === 'unknown' ? t('health.unknown') : live.reachable ? t('health.problems', { n: count }) : t('health.unreachable')
  const key = `${now} ${text}`
  if (key === drawn) return
  drawn = key
  pill.className = `pill pill-${now}`
  replace(pill, icon(now === 'ok' ? 'check' : now === 'unknown' ? 'refresh' : 'alert'), h('span', {}, text))
  drawFavicon(now, count)
}

function drawFavicon(now, count) {
  const element = document.querySelector('link[rel="icon"]')
  if (now === 'ok' || now === 'unknown') {
    element.href = element.dataset.plain
    return
  }
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 64
  const c = canvas.getContext('2d')
  c.fillStyle = now === 'degraded' ? '#b26a00' : '#c0362c'
  c.beginPath()
  c.arc(32, 32, 31, 0, 2 * Math.PI)
  c.fill()
  c.fillStyle = '#fff'
  c.font = 'bold 44px system-ui, sans-serif'
  c.textAlign = 'center'
  c.textBaseline = 'middle'
  c.fillText(count > 9 ? '9+' : String(count), 32, 35)
  element.href = canvas.toDataURL('image/png')
}
