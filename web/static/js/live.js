// What changes by itself: the stream of events, the service's readiness, and pollers. All of it rests while the tab is
// hidden.

import { Stream } from './stream.js'
import { call, readiness } from './api.js'

// After this long in the background, views are read again rather than every missed event.
const resumeWithin = 5 * 60_000
const healthInterval = 10_000
const healthTimeout = 8_000
const mostDevices = 100

// connection is connecting, open, waiting, refused or off: whether changes arrive.
export const live = { connection: 'off', health: null, reachable: true, session: null }

const watchers = new Set()
const subscribers = new Set()
const pollers = new Set()

// watch calls a listener when live changes; the result ends that.
export function watch(listener) {
  watchers.add(listener)
  return () => watchers.delete(listener)
}

function changed() {
  for (const listener of watchers) listener()
}

// onEvents calls run soon after events of these types, at most once in every ms: a burst of events costs one call. run
// gets a Set of the devices that the events are about; null if any may have changed. The result ends that.
export function onEvents(types, run, every = 1000) {
  const subscriber = { types, timer: 0, last: 0, devices: new Set() }
  subscriber.notify = device => {
    if (device === undefined || subscriber.devices?.size >= mostDevices) subscriber.devices = null
    else if (device) subscriber.devices?.add(device)
    if (subscriber.timer) return
    const wait = Math.max(0, subscriber.last + every - Date.now())
    subscriber.timer = setTimeout(() => {
      const devices = subscriber.devices
      subscriber.timer = 0
      subscriber.last = Date.now()
      subscriber.devices = new Set()
      run(devices)
    }, wait)
  }
  subscribers.add(subscriber)
  return () => {
    clearTimeout(subscriber.timer)
    subscribers.delete(subscriber)
  }
}

function notifyAll() {
  for (const subscriber of subscribers) subscriber.notify()
}

// deviceOf returns the device that an event is about, '' for none.
function deviceOf(event) {
  try {
    const data = JSON.parse(event.data)
    return (event.type === 'device' ? data.id : data.device) ?? ''
  } catch {
    return undefined // not understood: anything may have changed
  }
}

let everOpen = false

const stream = new Stream('/api/events', event => {
  const device = deviceOf(event)
  for (const subscriber of subscribers) if (subscriber.types.includes(event.type)) subscriber.notify(device)
}, (state, status) => {
  // A first event has no predecessor to resume from, so what happened while there was no connection is read again.
  if (state === 'open' && everOpen) notifyAll()
  if (state === 'open') everOpen = true
  if (state === 'waiting') checkHealth()
  live.connection = state
  if (status === 401) call('GET', '/api/session').catch(() => {}) // which notes that the session has ended
  changed()
})

// poll calls run(signal) now and then every ms while the page is visible. It returns { now, stop }.
export function poll(ms, run) {
  const poller = { timer: 0, ending: null }
  const tick = async () => {
    clearTimeout(poller.timer)
    poller.ending?.abort()
    const ending = poller.ending = new AbortController()
    try {
      await run(ending.signal)
    } finally {
      if (!ending.signal.aborted && pollers.has(poller) && !document.hidden) poller.timer = setTimeout(tick, ms)
    }
  }
  poller.pause = () => {
    clearTimeout(poller.timer)
    poller.ending?.abort()
  }
  poller.resume = () => { tick().catch(report) }
  pollers.add(poller)
  poller.resume()
  return {
    now: poller.resume,
    stop() {
      pollers.delete(poller)
      poller.pause()
    },
  }
}

const report = error => {
  if (error.name !== 'AbortError') console.warn(error)
}

let checking = null

// checkHealth reads the readiness; live.reachable is false where the service does not answer.
export async function checkHealth() {
  checking?.abort()
  const ending = checking = new AbortController()
  const timer = setTimeout(() => ending.abort('timeout'), healthTimeout)
  try {
    const health = await readiness(ending.signal)
    if (checking !== ending) return
    live.health = health
    if (!live.reachable) stream.retry()
    live.reachable = true
  } catch {
    if (checking !== ending) return
    live.reachable = false
  } finally {
    clearTimeout(timer)
  }
  changed()
}

// begin starts what the session may see.
export function begin(session) {
  live.session = session
  poll(healthInterval, checkHealth)
  const follows = ['admin', 'jobs', 'results', 'devices', 'page'].some(scope => session.scopes.includes(scope))
  if (follows && !document.hidden) stream.start()
  let hiddenAt = 0
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
      hiddenAt = Date.now()
      stream.stop()
      live.connection = 'off'
      for (const poller of pollers) poller.pause()
      return
    }
    const afresh = Date.now() - hiddenAt > resumeWithin
    for (const poller of pollers) poller.resume()
    if (follows) stream.start(afresh)
    if (afresh) notifyAll()
  })
  window.addEventListener('online', () => {
    stream.retry()
    checkHealth()
  })
  window.addEventListener('offline', checkHealth)
}

// end stops everything: the session has ended.
export function end() {
  stream.stop()
  for (const poller of pollers) poller.pause()
  pollers.clear()
  live.connection = 'off'
}

// may reports whether the session's key has one of the scopes.
export function may(...scopes) {
  const held = live.session?.scopes ?? []
  return held.includes('admin') || scopes.some(scope => held.includes(scope))
}
