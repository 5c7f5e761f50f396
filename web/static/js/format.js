// Numbers and times as people read them, in the page's language and the browser's time zone, or in UTC.

import { language } from './strings.js'
import { preference } from './prefs.js'

const locale = language === 'zh' ? 'zh-CN' : navigator.languages?.find(tag => tag.startsWith('en')) ?? 'en'
const zone = preference('zone', 'local') === 'utc' ? 'UTC' : undefined
const numbers = new Map()

// unknown is what stands for a value that is not known.
export const unknown = '–'

// number returns a number with at most that many decimals.
export function number(value, decimals = 0, least = 0) {
  if (!Number.isFinite(value)) return unknown
  const key = `${decimals} ${least}`
  if (!numbers.has(key)) numbers.set(key, new Intl.NumberFormat(locale, { maximumFractionDigits: decimals, minimumFractionDigits: least }))
  return numbers.get(key).format(value)
}

// short returns a number with about three digits.
export function short(value) {
  const size = Math.abs(value)
  return number(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.095 ? 2 : size === 0 ? 0 : 4)
}

export function percent(share, decimals = 0) {
  return Number.isFinite(share) ? `${number(share * 100, decimals, decimals)}%` : unknown
}

// milliseconds returns a duration given in ms.
export function milliseconds(ms) {
  if (!Number.isFinite(ms)) return unknown
  if (ms >= 10_000) return `${number(ms / 1000, 1)} s`
  if (ms >= 1000) return `${number(ms / 1000, 2)} s`
  return `${number(ms, ms < 10 ? 1 : 0)} ms`
}

export function bytes(n) {
  if (!Number.isFinite(n)) return unknown
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  while (Math.abs(n) >= 999.5 && unit < units.length - 1) {
    n /= 1000
    unit++
  }
  return `${number(n, unit > 0 && n < 10 ? 1 : 0)} ${units[unit]}`
}

// duration returns a duration given in seconds, in its largest unit or two.
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return unknown
  const parts = [[86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']]
  const first = parts.findIndex(([size]) => seconds >= size)
  if (first < 0) return unit(0, 'second')
  const texts = []
  for (const [size, name] of parts.slice(first, first + 2)) {
    const n = Math.floor(seconds / size)
    seconds -= n * size
    if (n > 0) texts.push(unit(n, name))
  }
  return texts.join(' ')
}

const unit = (n, name) => new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'short' }).format(n)

const clock = new Intl.DateTimeFormat(locale, { timeStyle: 'medium', timeZone: zone })
const day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: zone })
const complete = new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'long', timeZone: zone })
const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })

// timeOfDay, date and dateTime take a Date, ISO text or ms since 1970.
export const timeOfDay = time => clock.format(new Date(time))
export const dateTime = time => (isToday(time) ? clock.format(new Date(time)) : `${day.format(new Date(time))}, ${clock.format(new Date(time))}`)
export const fullTime = time => complete.format(new Date(time))

function isToday(time) {
  return day.format(new Date(time)) === day.format(new Date())
}

// ago returns how long a time is ago; the date where that is more than six days.
export function ago(time, now = Date.now()) {
  const seconds = (new Date(time).getTime() - now) / 1000
  const size = Math.abs(seconds)
  if (!Number.isFinite(size)) return unknown
  if (size < 5) return relative.format(0, 'second')
  if (size < 60) return relative.format(Math.round(seconds), 'second')
  if (size < 3600) return relative.format(Math.round(seconds / 60), 'minute')
  if (size < 86400) return relative.format(Math.round(seconds / 3600), 'hour')
  if (size < 6 * 86400) return relative.format(Math.round(seconds / 86400), 'day')
  return day.format(new Date(time))
}

// zoneName names the time zone in which the page shows times.
export const zoneName = () => zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
