// States: what each place shows now, such as whether a gate is open, since when, and the latest image of its camera.

import { h, icon, keyed, replace } from '../dom.js'
import { get } from '../api.js'
import { badge, code, emptyState, errorState, loading, time, withCode } from '../parts.js'
import { may, onEvents, poll } from '../live.js'
import { link } from '../router.js'
import { t } from '../strings.js'
import { percent } from '../format.js'
import { deviceName } from '../known.js'

// A state becomes stale without an event.
const interval = 30_000
const example = 'edgelens serve --states-list "gate device=cam1 model=gate"'

export function statesCard() {
  const list = h('ul', { class: 'places' })
  const place = h('div', {}, loading(2))
  // Screen readers read changes here alone: the list is drawn again with every image.
  const change = h('p', { class: 'visually-hidden', role: 'status' })
  const element = h('section', { class: 'card' }, h('h2', { class: 'card-title' }, t('states.title')), place, change)
  if (!may('devices', 'page')) {
    replace(place, emptyState('camera', t('states.forbidden'), t('scope.needed', { scope: 'devices' })))
    return { element, stop() {} }
  }
  const images = new Map() // by device: what is known of its latest image
  let former = null

  function announce(states) {
    if (former) {
      const changed = states.filter(one => former.has(one.name) && former.get(one.name) !== labelOf(one))
      if (changed.length > 0) change.textContent = changed.map(one => t('states.changed', { name: one.name, state: labelOf(one) })).join(' ')
    }
    former = new Map(states.map(one => [one.name, labelOf(one)]))
  }

  // readImages asks for the latest images of the devices whose states have a newer one; a device without one has none.
  async function readImages(states, signal) {
    const latest = new Map()
    for (const one of states) if (one.device && one.image_at && !(latest.get(one.device) > one.image_at)) latest.set(one.device, one.image_at)
    await Promise.all([...latest].filter(([device, at]) => images.get(device)?.at !== at).map(async ([device, at]) => {
      const { last_image_url } = await get(`/api/devices/${encodeURIComponent(device)}/records`, {}, signal).catch(error => {
        if (signal.aborted) throw error
        return {}
      })
      images.set(device, { at, url: last_image_url })
    }))
  }

  const read = async signal => {
    try {
      const { states } = await get('/api/states', {}, signal)
      if (states.length === 0) return replace(place, emptyState('camera', t('states.empty'), t('states.empty.text'), code(example)))
      announce(states)
      const draw = () => keyed(list, states, one => one.name, one => fill(row(), one, images), (element, one) => fill(element, one, images))
      draw()
      if (list.parentElement !== place) replace(place, list)
      await readImages(states, signal)
      draw()
    } catch (error) {
      if (signal.aborted) return
      if (!list.isConnected) replace(place, errorState(error, () => poller.now()))
      if (error.status === 403 || error.status === 404) poller.stop()
    }
  }
  const poller = poll(interval, read)
  const unsubscribe = onEvents(['state', 'recognition', 'device'], () => poller.now())
  return {
    element,
    stop() {
      poller.stop()
      unsubscribe()
    },
  }
}

const labelOf = one => one.state ?? t('states.unknown')

// row returns the place of a state, which fill fills.
function row() {
  return h('li', { class: 'place' }, h('div', { class: 'place-image' }), h('div', { class: 'place-text' }))
}

function fill(element, one, images) {
  const [image, text] = element.children
  showImage(image, one, images.get(one.device)?.url)
  const drawn = JSON.stringify([one, deviceName(one.device)])
  if (element.dataset.drawn === drawn) return element // a link keeps the focus
  element.dataset.drawn = drawn
  replace(text,
    h('h3', { class: 'place-name break' }, one.name),
    h('p', { class: 'place-state' }, h('span', { class: 'place-label break' }, labelOf(one)),
      one.state !== null && h('span', { class: 'num muted', title: t('states.confidence') }, percent(confidenceOf(one))), one.stale && badge(t('states.stale'), 'badge-warn')),
    h('p', { class: 'muted small' }, one.since ? [t('states.since'), ' ', time(one.since)] : t('states.none'), ' · ',
      one.device ? h('a', { href: link({ view: 'device', id: one.device }) }, deviceName(one.device)) : t('states.http')),
    one.pending && h('p', { class: 'muted small' }, t('states.pending', { state: one.pending.state, count: one.pending.count, needed: one.pending.needed })),
    one.problem && h('p', { class: 'warning' }, icon('alert'), h('span', { class: 'break' }, withCode(one.problem))))
  return element
}

// confidenceOf returns the probability of the latest answer that is of the state; else that of the answer that made it so.
const confidenceOf = one => one.answers.find(answer => answer.label === one.state)?.probability ?? one.confidence

// showImage shows the part of an image that the state is about.
function showImage(place, one, url) {
  const wanted = JSON.stringify([url, one.region])
  if (place.dataset.shown === wanted) return
  place.dataset.shown = wanted
  const none = () => replace(place, icon('camera', 'place-noimage'))
  if (!url) return none()
  const { x, y, width, height } = one.region ?? { x: 0, y: 0, width: 1, height: 1 }
  const image = h('img', { src: url, alt: t('states.image', { name: one.name }), decoding: 'async', style: { width: `${100 / width}%`, height: `${100 / height}%`, left: `${-100 * x / width}%`, top: `${-100 * y / height}%` } })
  image.addEventListener('error', none, { once: true })
  const crop = h('div', { class: 'place-crop' }, image)
  image.addEventListener('load', () => { crop.style.aspectRatio = `${image.naturalWidth * width} / ${image.naturalHeight * height}` }, { once: true })
  replace(place, crop)
}
