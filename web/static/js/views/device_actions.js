// What an operator does with a device: decide about it, name it, send it commands, forget it.

import { h, icon, replace } from '../dom.js'
import { call, get } from '../api.js'
import { button, confirmed, glyph, notice, outcome, sentence, time } from '../parts.js'
import { t, word } from '../strings.js'

const path = device => `/api/devices/${encodeURIComponent(device.id)}`
const nameOf = device => device.display_name ?? device.id
const mostCommands = 20
const commandInterval = 700
const commandPatience = 90_000
const ended = ['acknowledged', 'failed', 'expired']

// changeState returns the button that accepts, quarantines or refuses a device.
export function changeState(device, state, changed) {
  const kinds = { accepted: ['primary', 'check'], quarantined: ['', 'pause'], refused: ['danger', 'close'] }
  const [kind, iconName] = kinds[state]
  return button(t(`device.do.${state}`), async pressed => {
    if (state === 'refused' && !await confirmed(t('device.refuse.title', { name: nameOf(device) }), t('device.refuse.text'), t('device.do.refused'))) return
    await attempt(pressed, () => call('PATCH', path(device), { body: { state } }), changed)
  }, { kind, iconName })
}

// forget returns the button that forgets a device.
export function forget(device, gone) {
  return button(t('device.forget'), async pressed => {
    if (!await confirmed(t('device.forget.title', { name: nameOf(device) }), t('device.forget.text'), t('device.forget'))) return
    await attempt(pressed, () => call('DELETE', path(device)), gone)
  }, { kind: 'danger', iconName: 'trash' })
}

// rename returns a form for the display name.
export function rename(device, changed) {
  const input = h('input', { type: 'text', maxlength: '80', value: device.display_name ?? '', placeholder: device.id, autocomplete: 'off' })
  const form = h('form', { class: 'inline-form' }, h('label', { class: 'field' }, h('span', {}, t('device.name')), input), h('button', { class: 'button', type: 'submit' }, icon('edit'), t('save')))
  form.addEventListener('submit', event => {
    event.preventDefault()
    attempt(form.querySelector('button'), () => call('PATCH', path(device), { body: { display_name: input.value.trim() || null } }), changed)
  })
  return form
}

async function attempt(element, run, done) {
  element.disabled = true
  try {
    const answer = await run()
    notice(t('done'))
    done(answer)
  } catch (error) {
    notice(sentence(error), 'bad')
  } finally {
    element.disabled = false
  }
}

// commands returns the form for commands, and the outcomes of the last ones; stop ends following them.
export function commands(device) {
  const input = h('textarea', { rows: '2', spellcheck: 'false', autocapitalize: 'none', class: 'mono' }, '{"cmd":"open"}')
  const error = h('p', { class: 'form-error', role: 'alert', hidden: true })
  const list = h('ul', { class: 'commands', 'aria-live': 'polite' })
  const ending = new AbortController()
  const form = h('form', {}, h('label', { class: 'field' }, h('span', {}, t('command.body')), input), error, h('button', { class: 'button primary', type: 'submit' }, icon('door'), t('command.send')))
  form.addEventListener('submit', async event => {
    event.preventDefault()
    const body = readObject(input.value)
    error.hidden = body !== null
    if (body === null) {
      error.textContent = t('command.no_object')
      return
    }
    if (!await confirmed(t('command.title', { name: nameOf(device) }), input.value.trim(), t('command.send'), 'primary')) return
    try {
      const accepted = await call('POST', `${path(device)}/commands`, { body, signal: ending.signal })
      const item = h('li', { data: { id: accepted.command_id } })
      list.prepend(item)
      while (list.childElementCount > mostCommands) list.lastElementChild.remove()
      follow(accepted.status_url, item, ending.signal)
    } catch (failed) {
      if (!ending.signal.aborted) notice(sentence(failed), 'bad')
    }
  })
  get(`${path(device)}/commands`, { limit: mostCommands }, ending.signal).then(({ commands: earlier }) => {
    const sent = new Set([...list.children].map(item => item.dataset.id))
    for (const command of earlier.filter(one => !sent.has(one.id)).slice(0, mostCommands - sent.size)) {
      const item = h('li', {})
      list.append(item)
      draw(item, command)
      if (!settled(command, Date.parse(command.created_at))) follow(`${path(device)}/commands/${command.id}`, item, ending.signal)
    }
  }).catch(() => {}) // the form serves without them
  return { element: h('div', {}, form, list), stop: () => ending.abort() }
}

function readObject(text) {
  try {
    const value = JSON.parse(text)
    return value && typeof value === 'object' && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}

function draw(item, command) {
  const shape = { acknowledged: 'recognized', failed: 'error', expired: 'error' }[command.status] ?? 'uncertain'
  replace(item, h('span', { class: `outcome outcome-${shape}` }, glyph(shape), word('command', command.status)), ' ', h('code', { class: 'break' }, JSON.stringify(command.body)), ' ', time(command.created_at, 'muted small'),
    command.detail && h('p', { class: 'muted small break' }, command.detail))
}

// settled reports whether a command has ended, or was sent to a terminal that does not answer.
const settled = (command, since) => ended.includes(command.status) || command.status === 'sent' && Date.now() - since > commandPatience

// follow shows a command's outcome until it has ended.
async function follow(url, item, signal) {
  const began = Date.now()
  for (;;) {
    let command
    try {
      command = await call('GET', new URL(url, location.origin).pathname, { signal })
    } catch (error) {
      if (signal.aborted) return
      replace(item, outcome('error'), ' ', sentence(error))
      return
    }
    draw(item, command)
    if (settled(command, began)) return
    if (Date.now() - began > commandPatience * 10) return
    await new Promise(resolve => setTimeout(resolve, Date.now() - began > 20_000 ? 5000 : commandInterval))
    if (signal.aborted) return
  }
}
