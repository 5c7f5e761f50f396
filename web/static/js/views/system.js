// System: what is wrong, the models, where the time goes, and the machine.

import { h, icon, replace } from '../dom.js'
import { call, get } from '../api.js'
import { badge, button, card, errorState, facts, glyph, loading, meter, notice, sentence, time, withCode } from '../parts.js'
import { may, poll } from '../live.js'
import { t, word } from '../strings.js'
import { readDatasets } from './datasets.js'
import { readKept } from './kept.js'
import { bytes, duration, milliseconds, number, percent, short } from '../format.js'

const interval = 5000
const modelTimeout = 120_000

export function system() {
  const place = h('div', { class: 'system' }, loading(8))
  const parts = Object.fromEntries(['conditions', 'models', 'stages', 'work', 'links', 'machine', 'program', 'settings', 'datasets', 'kept'].map(name => [name, h('div', { class: `system-${name}` })]))
  let built = false
  let models = []

  function render(one) {
    if (!built) {
      const { conditions, models, datasets, stages, work, links, machine, program, settings, kept } = parts
      replace(place, conditions, h('div', { class: 'columns' }, h('div', {}, models, datasets, work, program), h('div', {}, stages, links, machine)), kept, settings)
    }
    built = true
    const now = one.state
    replace(parts.conditions, now && conditions(now))
    replace(parts.stages, now && card(t('system.stages'), stages(now)))
    replace(parts.work, now && card(t('system.work'), work(now)))
    replace(parts.links, now && card(t('system.links'), links(now)))
    replace(parts.machine, now && card(t('system.machine'), machine(now, one)))
    replace(parts.program, card(t('system.program'), program(one, now)))
    drawModels(now)
  }

  let drawn = ''
  function drawModels(now) {
    const text = JSON.stringify([models, now?.models])
    if (text === drawn) return
    drawn = text
    replace(parts.models, card(t('system.models'), h('ul', { class: 'plain models' }, [...models].sort(byState).map(model => modelItem(model, now?.models.find(one => one.name === model.name), () => poller.now())))))
  }

  const poller = poll(interval, async signal => {
    try {
      const [one, list] = await Promise.all([get('/api/system', {}, signal), get('/api/models', {}, signal)])
      models = list.models
      render(one)
    } catch (error) {
      if (signal.aborted) return
      if (!built) replace(place, errorState(error, () => poller.now()))
      if (error.status === 403) poller.stop()
    }
  })
  readSettings(parts.settings)
  readDatasets(parts.datasets)
  readKept(parts.kept)
  return { title: t('nav.system'), element: h('div', { class: 'view' }, h('div', { class: 'view-head' }, h('h1', {}, t('nav.system'))), place), stop: poller.stop }
}

function conditions(now) {
  if (now.conditions.length === 0) {
    return h('section', { class: 'card status status-ok' }, h('div', { class: 'status-head' }, icon('check', 'status-icon'), h('p', { class: 'status-title' }, t('status.ok'))))
  }
  return h('section', { class: `card status status-${now.status}` }, h('div', { class: 'status-head' }, icon('alert', 'status-icon'), h('p', { class: 'status-title' }, t('health.problems', { n: now.conditions.length }))),
    h('ul', { class: 'conditions' }, now.conditions.map(one => h('li', { class: `condition condition-${one.severity}` }, h('span', { class: 'condition-name' }, word('condition', one.name)), h('span', { class: 'break' }, withCode(one.reason))))))
}

const states = ['ready', 'failed', 'available', 'missing']
const byState = (a, b) => b.default - a.default || states.indexOf(a.state) - states.indexOf(b.state) || a.name.localeCompare(b.name)

function modelItem(model, now, changed) {
  const kinds = { ready: 'badge-good', failed: 'badge-bad' }
  const action = model.state === 'ready' ? !model.default && ['unload', 'close'] : model.state !== 'missing' && ['load', 'play']
  const again = model.state === 'ready'
  return h('li', { class: 'model' },
    h('div', { class: 'model-head' }, h('b', { class: 'break' }, model.name), badge(word('model_state', model.state), kinds[model.state]), model.default && badge(t('model.default'))),
    h('p', { class: 'muted small' }, [model.labels > 0 && t('model.labels', { n: number(model.labels) }), model.input && `${model.input.shape.slice(1, 3).join(' × ')} ${model.input.dtype}`, bytes(model.file_bytes), model.runtime && `${model.runtime.name} ${model.runtime.version}`,
      model.delegate && model.delegate !== 'none' && `${model.delegate} ${percent(model.delegated_operators / model.operators)}`].filter(Boolean).join(' · ')),
    model.problem && (model.state === 'missing' ? h('p', { class: 'muted small break' }, withCode(model.problem)) : h('p', { class: 'warning' }, icon('alert'), h('span', { class: 'break' }, withCode(model.problem)))),
    now && model.state === 'ready' && interpreters(now, model),
    may() && h('div', { class: 'actions' }, action && modelButton(model, [action[0]], action[1], changed), again && !model.default && modelButton(model, ['unload', 'load'], 'refresh', changed)))
}

// modelButton returns the button for calls one after the other; two of them are a reload.
function modelButton(model, calls, iconName, changed) {
  return button(t(calls.length > 1 ? 'model.reload' : `model.${calls[0]}`), async pressed => {
    pressed.disabled = true
    try {
      for (const name of calls) await call('POST', `/api/models/${encodeURIComponent(model.name)}/${name}`, { timeout: modelTimeout })
      notice(t('done'))
    } catch (error) {
      notice(sentence(error), 'bad')
    }
    pressed.disabled = false
    changed()
  }, { kind: 'small', iconName })
}

function interpreters(now, model) {
  const found = ['busy', 'idle', 'stuck'].filter(name => now[name] > 0)
  return h('p', { class: 'small' }, t('model.interpreters'), ' ', found.flatMap(name => [badge(`${number(now[name])} ${word('interpreter', name)}`, name === 'stuck' ? 'badge-bad' : ''), ' ']),
    h('span', { class: 'muted' }, `${bytes(now.memory_bytes)}${model.load_ms ? ` · ${t('model.loaded_in', { time: milliseconds(model.load_ms) })}` : ''}`))
}

function stages(now) {
  if (now.stages.length === 0) return h('p', { class: 'muted' }, t('system.stages.none'))
  const most = Math.max(...now.stages.map(stage => stage.p95_ms))
  return h('table', { class: 'table' },
    h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, t('system.stage')), h('th', { scope: 'col', class: 'wide' }, h('span', { class: 'visually-hidden' }, t('system.share'))), ['mean', 'p50', 'p95'].map(name => h('th', { scope: 'col', class: 'right' }, t(`stat.${name}`))))),
    h('tbody', {}, now.stages.map(stage => h('tr', {}, h('th', { scope: 'row' }, word('stage', stage.stage)),
      h('td', { class: 'wide' }, h('div', { class: 'meter-track', 'aria-hidden': 'true' }, h('div', { class: `meter-fill stage-${stage.stage}`, style: { width: `${most ? (stage.p95_ms / most) * 100 : 0}%` } }))),
      [stage.mean_ms, stage.p50_ms, stage.p95_ms].map(ms => h('td', { class: 'right num' }, milliseconds(ms)))))))
}

function work(now) {
  const { hits, misses, bypasses } = now.cache
  const asked = hits + misses + bypasses
  return [
    meter(t('system.cache'), asked ? hits / asked : 0, { text: asked ? t('system.cache.hits', { share: percent(hits / asked), n: number(asked) }) : t('system.cache.none') }),
    facts([t('system.waiting'), num(now.queue.waiting)], [t('system.queued'), num(now.queue.queued)], [t('system.running'), num(now.queue.running)]),
  ]
}

const num = n => h('span', { class: 'num' }, number(n))

function links(now) {
  const list = [['MQTT', now.broker], ['Redis', now.redis]].filter(([, one]) => one)
  return [
    h('ul', { class: 'plain' }, list.map(([name, one]) => h('li', { class: 'delivery' }, stateOf(one.state === 'up'), h('b', {}, name), one.private && h('span', { class: 'muted small' }, t('system.private')), one.reason && h('p', { class: 'muted small break' }, one.reason))),
      !now.broker && h('li', { class: 'delivery' }, h('span', { class: 'outcome outcome-no_image' }, word('link', 'off')), h('b', {}, 'MQTT')),
      now.outbox.map(sink => h('li', { class: 'delivery' }, stateOf(!sink.failing_since), h('b', {}, t('system.sink', { name: sink.sink === 'mqtt' ? 'MQTT' : sink.sink })),
        h('span', { class: 'muted small' }, t('system.outbox', { n: number(sink.events) }), sink.set_aside > 0 && ` · ${t('system.set_aside', { n: number(sink.set_aside) })}`, sink.dropped > 0 && ` · ${t('system.dropped', { n: number(sink.dropped) })}`),
        sink.reason && h('p', { class: 'muted small break' }, sink.reason),
        sink.set_aside > 0 && may() && h('p', {}, retrySetAside(sink))))),
  ]
}

function retrySetAside(sink) {
  return button(t('system.set_aside.retry'), async pressed => {
    pressed.disabled = true
    try {
      const { retried } = await call('POST', '/api/outbox/retry', { body: { sink: sink.sink } })
      notice(t('system.set_aside.retried', { n: retried }))
    } catch (error) {
      notice(sentence(error), 'bad')
    }
  }, { kind: 'small', iconName: 'refresh' })
}

function stateOf(up) {
  const name = up ? 'recognized' : 'error'
  return h('span', { class: `outcome outcome-${name}` }, glyph(name), word('link', up ? 'up' : 'down'))
}

function machine(now, one) {
  const m = now.machine, disk = now.storage
  return [
    m.throttled.length > 0 && h('p', { class: 'warning' }, icon('alert'), h('span', {}, t('system.throttled'), ' ', m.throttled.join(', '))),
    m.memory_available_bytes !== undefined && one.memory_bytes && meter(t('system.memory'), 1 - m.memory_available_bytes / one.memory_bytes, { text: t('system.free', { free: bytes(m.memory_available_bytes), all: bytes(one.memory_bytes) }) }),
    disk.disk_bytes && meter(t('system.disk'), 1 - disk.disk_free_bytes / disk.disk_bytes, { text: t('system.free', { free: bytes(disk.disk_free_bytes), all: bytes(disk.disk_bytes) }) }),
    facts([t('system.temperature'), m.temperature_celsius === undefined ? null : `${number(m.temperature_celsius, 1)} °C`], [t('system.load'), m.load === undefined ? null : short(m.load)],
      [t('system.process_memory'), m.process_memory_bytes === undefined ? null : bytes(m.process_memory_bytes)], [t('system.database'), bytes(disk.database_bytes)], [t('system.images'), bytes(disk.image_bytes)]),
  ]
}

function program(one, now) {
  return facts([t('system.version'), h('code', {}, one.version)], [t('system.uptime'), now?.started_at && h('span', { title: now.started_at }, duration((Date.parse(now.at) - Date.parse(now.started_at)) / 1000))], [t('system.board'), one.board],
    [t('system.processor'), one.processor], [t('system.cores'), `${number(one.cores)} (${one.architecture})`], [t('system.os'), one.os],
    [t('system.runtimes'), one.runtimes.map(runtime => `${runtime.name} ${runtime.version}${runtime.problem ? `: ${runtime.problem}` : ''}`).join(', ')])
}

async function readSettings(place) {
  try {
    const { settings } = await get('/api/settings')
    const body = h('tbody')
    const all = h('input', { type: 'checkbox', role: 'switch' })
    const search = h('input', { type: 'search', placeholder: t('settings.search'), 'aria-label': t('settings.search') })
    const draw = () => {
      const wanted = search.value.trim().toLowerCase()
      const found = settings.filter(one => (all.checked || wanted || one.source !== 'default') && (!wanted || `${one.key} ${one.help}`.toLowerCase().includes(wanted)))
      replace(body, found.map(one => h('tr', {}, h('th', { scope: 'row' }, h('code', { class: 'break' }, one.key), h('p', { class: 'muted small' }, one.help)), h('td', {}, h('code', { class: 'break' }, one.value === '' ? '""' : one.value)), h('td', {}, badge(word('setting_source', one.source), one.source === 'default' ? '' : 'badge-accent')))),
        found.length === 0 && h('tr', {}, h('td', { colspan: '3', class: 'muted' }, t(wanted ? 'settings.no_match' : 'settings.all_default'))))
    }
    all.addEventListener('change', draw)
    search.addEventListener('input', draw)
    draw()
    replace(place, card(t('system.settings'), h('div', { class: 'settings-bar' }, search, h('label', { class: 'switch' }, all, h('span', {}, t('settings.all')))),
      h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('system.settings') }, h('table', { class: 'table settings' }, h('thead', { class: 'visually-hidden' }, h('tr', {}, ['settings.name', 'settings.value', 'settings.source'].map(key => h('th', { scope: 'col' }, t(key))))), body))))
  } catch (error) {
    if (error.status !== 403 && error.status !== 404) replace(place, errorState(error, () => readSettings(place)))
  }
}
