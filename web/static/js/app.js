// The frame around the views: navigation, the service's state, the session, and which view the address asks for.

import { h, icon, replace } from './dom.js'
import { get, setToken, whenSignedOut } from './api.js'
import { language, languages, setLanguage, t } from './strings.js'
import { preference, prefer, setTheme, theme } from './prefs.js'
import { begin, end, live, watch } from './live.js'
import { errorState, tick } from './parts.js'
import { go, link, route, state } from './router.js'
import { setPageTitle, showAttention } from './attention.js'
import { startTips } from './tip.js'
import { zoneName } from './format.js'
import { now } from './views/now.js'
import { devices } from './views/devices.js'
import { device } from './views/device.js'
import { history } from './views/history.js'
import { record } from './views/record.js'
import { sensors } from './views/sensors.js'
import { system } from './views/system.js'

// Each view is a function of the address's parameters that returns { element, title, update, stop }; update and stop
// are optional. within is the entry of the navigation that it belongs to.
const views = {
  now: { make: now, within: 'now' }, devices: { make: devices, within: 'devices' }, device: { make: device, within: 'devices' },
  history: { make: history, within: 'history' }, record: { make: record, within: 'history' }, sensors: { make: sensors, within: 'sensors' },
  system: { make: system, within: 'system' },
}
const entries = ['now', 'devices', 'history', 'sensors', 'system']

document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'

const pill = h('a', { href: link({ view: 'system' }), class: 'pill pill-unknown' }, icon('refresh'), h('span', {}, t('health.unknown')))
const main = h('main', { id: 'main', tabindex: '-1' })
const banner = h('div', { class: 'banner', role: 'status', hidden: true })
const links = new Map(entries.map(name => [name, h('a', { class: 'nav-link', href: name === 'now' ? '/' : link({ view: name }) }, icon(name), h('span', {}, t(`nav.${name}`)))]))
const account = h('div', { class: 'account' })

function frame() {
  return [
    h('a', { class: 'skip', href: '#main', on: { click: skip } }, t('skip')),
    h('header', { class: 'top' },
      h('a', { class: 'brand', href: '/' }, icon('logo', 'logo'), h('span', { class: 'brand-name' }, 'edgelens')),
      h('div', { role: 'status' }, pill),
      menu()),
    h('nav', { class: 'nav', 'aria-label': t('nav') }, [...links.values()]),
    h('div', { class: 'content' }, banner, main),
    h('div', { id: 'notices', class: 'notices', role: 'status', 'aria-live': 'polite' }),
  ]
}

function skip(event) {
  event.preventDefault()
  main.focus()
}

function menu() {
  const panel = h('div', { class: 'menu-panel' },
    choice(t('theme'), [['auto', t('theme.auto')], ['light', t('theme.light')], ['dark', t('theme.dark')]], theme(), setTheme),
    choice(t('language'), Object.entries(languages), language, setLanguage),
    choice(t('zone'), [['local', Intl.DateTimeFormat().resolvedOptions().timeZone], ['utc', 'UTC']], preference('zone', 'local'), zone => { prefer('zone', zone); location.reload() }),
    account,
    h('a', { class: 'menu-link', href: '/docs', target: '_blank', rel: 'noopener' }, icon('link'), t('docs')))
  const element = h('details', { class: 'menu' }, h('summary', { class: 'icon-button', 'aria-label': t('menu'), title: t('menu') }, icon('user')), panel)
  document.addEventListener('click', event => { if (!element.contains(event.target)) element.open = false })
  element.addEventListener('keydown', event => {
    if (event.key !== 'Escape' || !element.open) return
    element.open = false
    element.querySelector('summary').focus()
  })
  return element
}

function choice(label, options, present, choose) {
  const select = h('select', { on: { change: () => choose(select.value) } }, options.map(([value, text]) => h('option', { value, selected: value === present }, text)))
  return h('label', { class: 'field' }, h('span', {}, label), select)
}

function showAccount(session) {
  if (!session.key) {
    replace(account, h('p', { class: 'muted small' }, t('account.no_key')), h('a', { class: 'menu-link', href: '/login' }, icon('key'), t('account.sign_in')))
    return
  }
  const form = h('form', { method: 'post', action: '/logout' }, h('input', { type: 'hidden', name: 'csrf_token', value: session.csrf_token ?? '' }),
    h('button', { class: 'button', type: 'submit' }, icon('logout'), t('account.sign_out')))
  replace(account, h('p', {}, h('span', { class: 'muted small' }, t('account.as')), h('br'), h('b', { class: 'break' }, session.name ?? session.key)),
    h('p', { class: 'muted small' }, session.scopes.join(', ')), session.csrf_token ? form : null)
}

let current = null

function show(parameters, isSameStep) {
  const name = parameters.view in views ? parameters.view : 'now'
  const place = JSON.stringify([name, parameters.id])
  for (const [entry, anchor] of links) {
    if (entry === views[name].within) anchor.setAttribute('aria-current', 'page')
    else anchor.removeAttribute('aria-current')
  }
  if (current?.place === place && current.view.update) {
    current.view.update(parameters)
    return
  }
  current?.view.stop?.()
  const view = views[name].make(parameters)
  const first = current === null
  current = { place, view }
  setPageTitle(view.title)
  replace(main, view.element)
  if (isSameStep || first) return
  window.scrollTo(0, 0)
  main.focus({ preventScroll: true })
}

function showBanner() {
  const texts = { waiting: t('live.waiting'), refused: t('live.refused') }
  const text = live.reachable ? texts[live.connection] : t('live.unreachable')
  banner.hidden = !text
  banner.classList.toggle('bad', !live.reachable)
  if (text) replace(banner, icon('alert'), h('span', {}, text))
}

function signedOut() {
  end()
  current?.view.stop?.()
  current = null
  const back = `/login?${new URLSearchParams({ next: location.pathname + location.search })}`
  setPageTitle(t('signed_out'))
  replace(main, h('div', { class: 'state' }, icon('key', 'state-icon'), h('h1', { class: 'state-title' }, t('signed_out')), h('p', { class: 'muted' }, t('signed_out.text')),
    h('a', { class: 'button primary', href: back }, t('account.sign_in'))))
  for (const anchor of links.values()) anchor.removeAttribute('aria-current')
  pill.hidden = banner.hidden = true
}

async function start() {
  replace(document.getElementById('app'), frame())
  startTips()
  setInterval(tick, 5000)
  watch(() => {
    showAttention(pill)
    showBanner()
  })
  whenSignedOut(signedOut)
  try {
    const session = await get('/api/session')
    setToken(session.csrf_token)
    showAccount(session)
    begin(session)
  } catch (error) {
    if (error.status === 401) return
    replace(main, errorState(error, () => location.reload()))
    return
  }
  route(show)
}

start()
