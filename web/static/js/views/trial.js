// Try it: drop, paste, choose or take a photo, and see what it shows.

import { h, icon, replace } from '../dom.js'
import { send } from '../api.js'
import { badge, button, code, copyButton, facts, meter, sentence } from '../parts.js'
import { live, may } from '../live.js'
import { t, word } from '../strings.js'
import { bytes, milliseconds, number, percent } from '../format.js'
import { preference, prefer } from '../prefs.js'
import { curl, imageOf, prepare } from '../upload.js'

const stages = ['queue', 'decode', 'preprocess', 'inference', 'postprocess', 'quality']

// On a phone or tablet one takes a photo; it cannot be dropped.
const isHandheld = matchMedia('(pointer: coarse)').matches

export function trial() {
  const allowed = may('recognize')
  const chosen = fileInput(false), taken = fileInput(true)
  const original = h('input', { type: 'checkbox', role: 'switch', checked: preference('original', '') === 'yes' })
  original.addEventListener('change', () => prefer('original', original.checked ? 'yes' : null))
  const choose = button(t('try.choose'), () => chosen.click(), { kind: isHandheld ? '' : 'primary', iconName: 'image' })
  const shoot = button(t('try.take'), () => taken.click(), { kind: isHandheld ? 'primary' : '', iconName: 'camera' })
  const zone = h('div', { class: 'drop', 'aria-disabled': allowed ? null : 'true' },
    icon(isHandheld ? 'camera' : 'image', 'drop-icon'),
    h('p', { class: 'drop-title' }, allowed ? t(isHandheld ? 'try.title.handheld' : 'try.title') : t('try.forbidden')),
    h('p', { class: 'muted small' }, allowed ? t(isHandheld ? 'try.text.handheld' : 'try.text') : t('scope.needed', { scope: 'recognize' })),
    allowed && h('div', { class: 'actions' }, isHandheld ? [shoot, choose] : [choose, shoot]),
    allowed && h('label', { class: 'switch' }, original, h('span', {}, t('try.original'))),
    chosen, taken)
  const answer = h('div', { class: 'answer', 'aria-live': 'polite' })
  const element = h('section', { class: 'card try' }, h('h2', { class: 'card-title' }, t('try.heading')), zone, answer)
  const preview = objectURL()
  let ending = null

  async function recognize(file) {
    ending?.abort()
    const run = ending = new AbortController()
    zone.classList.add('drop-compact')
    const image = h('img', { class: 'answer-image', alt: t('try.preview'), src: preview.show(file) })
    image.addEventListener('error', () => image.replaceWith(h('div', { class: 'answer-image answer-noimage' }, icon('image'))), { once: true })
    const text = h('div', { class: 'answer-text' }, h('p', { class: 'busy' }, icon('refresh', 'spin'), t('try.busy')))
    replace(answer, image, text)
    try {
      const sent = await prepare(file, { original: original.checked })
      if (run.signal.aborted) return
      const form = new FormData()
      form.append('file', sent.blob, sent.name)
      const began = performance.now()
      const response = await send('POST', '/api/recognize', { query: { top_k: 5 }, body: form, signal: run.signal, timeout: 90_000 })
      const result = await response.json()
      replace(text, resultOf(result, { sent, name: file.name || sent.name, cache: response.headers.get('X-Cache'), took: performance.now() - began }))
    } catch (error) {
      if (run.signal.aborted) return
      replace(text, h('div', { role: 'alert' }, h('p', { class: 'answer-label' }, icon('alert'), t('try.failed')), h('p', {}, sentence(error)),
        error.retryAfter > 0 && h('p', { class: 'muted' }, t('try.retry_after', { n: number(error.retryAfter) })),
        error.requestID && h('p', { class: 'muted small' }, t('request_id'), ' ', h('code', {}, error.requestID)),
        button(t('retry'), () => recognize(file), { iconName: 'refresh' })))
    }
  }

  const take = files => {
    const file = imageOf(files)
    if (file) recognize(file)
    else if (files?.length) replace(answer, h('p', { role: 'alert' }, t('try.not_image')))
  }
  for (const input of [chosen, taken]) {
    input.addEventListener('change', () => {
      take(input.files)
      input.value = ''
    })
  }
  const stopTransfers = allowed ? follow(zone, take) : () => {}
  return {
    element,
    stop() {
      ending?.abort()
      stopTransfers()
      preview.end()
    },
  }
}

function fileInput(camera) {
  return h('input', { type: 'file', accept: 'image/*,.tif,.tiff,.bmp', capture: camera ? 'environment' : null, hidden: true })
}

// objectURL has one address of an image at a time: each would keep its file in memory.
function objectURL() {
  let present = ''
  const end = () => {
    if (present) URL.revokeObjectURL(present)
    present = ''
  }
  return {
    end,
    show(file) {
      end()
      present = URL.createObjectURL(file)
      return present
    },
  }
}

// follow takes images that are dropped anywhere on the page, or pasted.
function follow(zone, take) {
  const hasFiles = event => event.dataTransfer?.types.includes('Files')
  const over = event => {
    if (!hasFiles(event)) return
    event.preventDefault()
    zone.classList.add('drop-over')
  }
  const leave = event => { if (!event.relatedTarget) zone.classList.remove('drop-over') }
  const drop = event => {
    if (!hasFiles(event)) return
    event.preventDefault()
    zone.classList.remove('drop-over')
    take(event.dataTransfer.files)
  }
  const paste = event => {
    if (imageOf(event.clipboardData?.files)) take(event.clipboardData.files)
  }
  const listeners = { dragover: over, dragleave: leave, drop, paste }
  for (const [type, listener] of Object.entries(listeners)) document.addEventListener(type, listener)
  return () => { for (const [type, listener] of Object.entries(listeners)) document.removeEventListener(type, listener) }
}

function resultOf(result, { sent, name, cache, took }) {
  const best = result.predictions[0]
  return [
    h('p', { class: 'answer-label' }, best ? best.label : t('try.nothing'), best && h('span', { class: 'answer-score num' }, percent(best.probability))),
    result.warnings?.map(text => h('p', { class: 'warning' }, icon('alert'), h('span', {}, text))),
    result.image.damaged && h('p', { class: 'warning' }, icon('alert'), h('span', {}, t('image.damaged'))),
    predictions(result),
    h('div', { class: 'badges' }, quality(result.quality), cache === 'HIT' && badge(t('try.cached'), 'badge-good'), badge(t('try.roundtrip', { time: milliseconds(took) }))),
    timings(result.timings_ms, result.cached),
    h('details', { class: 'details' }, h('summary', {}, t('try.details')),
      facts([t('model'), result.model.name], [t('image'), `${number(result.image.width)} × ${number(result.image.height)} ${result.image.format.toUpperCase()}`],
        sent.from && [t('try.scaled'), `${sent.from.pixels} (${bytes(sent.from.bytes)}) → ${sent.to.pixels} (${bytes(sent.to.bytes)})`],
        result.view && [t('view.fit'), word('fit', result.view.fit)],
        [t('request_id'), h('span', { class: 'copyable' }, h('code', {}, result.request_id), copyButton(result.request_id))]),
      h('p', { class: 'muted small' }, t('try.same')), code(curl(location.origin, name, Boolean(live.session?.key)))),
  ]
}

// predictions returns the bars of a recognition.
export function predictions(result) {
  if (result.predictions.length === 0) return null
  return h('div', { class: 'meters' }, result.predictions.map((one, i) => meter(one.label, one.probability, { first: i === 0 })))
}

// quality returns the verdict on the image; null where it was not rated.
export function quality(verdict) {
  if (!verdict) return null
  return badge(`${word('quality', verdict.verdict)} ${percent(verdict.score)}`, verdict.usable ? 'badge-good' : 'badge-warn')
}

// timings returns a bar of the stages and their durations.
export function timings(ms, cached) {
  const taken = stages.filter(stage => ms[stage] > 0)
  const sum = taken.reduce((total, stage) => total + ms[stage], 0)
  return h('div', { class: 'timings' },
    h('div', { class: 'timings-head' }, h('span', { class: 'muted small' }, cached ? t('timings.cached') : t('timings')), h('span', { class: 'num' }, milliseconds(ms.total))),
    taken.length > 0 && h('div', { class: 'timings-bar', 'aria-hidden': 'true' }, taken.map(stage => h('span', { class: `stage stage-${stage}`, style: { 'flex-grow': String(ms[stage] / sum) } }))),
    taken.length > 0 && h('ul', { class: 'timings-legend' }, taken.map(stage => h('li', {}, h('span', { class: `stage-key stage-${stage}`, 'aria-hidden': 'true' }), word('stage', stage), ' ', h('span', { class: 'num muted' }, milliseconds(ms[stage]))))))
}
