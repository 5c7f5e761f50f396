// "That was wrong: it is ...": gives the image of a result with its right label to a dataset, from which heads learn.

import { h, icon, replace } from '../dom.js'
import { call, get, send } from '../api.js'
import { button, card, sentence } from '../parts.js'
import { may } from '../live.js'
import { t } from '../strings.js'
import { prefer, preference } from '../prefs.js'

const path = dataset => `/api/datasets/${encodeURIComponent(dataset)}`

// correction returns a card with the button; null where the key may not teach, or the image is not kept.
export function correction(stored) {
  if (!may('learn') || !stored.image_url) return null
  const place = h('div')
  const open = button(t('correct.open'), async () => {
    const form = await formOf(stored, done, close)
    replace(place, form)
    form.querySelector('input').focus()
  }, { iconName: 'edit' })
  const close = () => {
    replace(place, open)
    open.focus()
  }
  const done = answer => replace(place, ...outcome(answer, close))
  replace(place, open)
  return card(t('correct.title'), h('p', { class: 'muted small' }, t('correct.text')), place)
}

// formOf returns the form, which offers the datasets and labels that are known; where they cannot be read, one types them.
async function formOf(stored, done, close) {
  const datasets = await get('/api/datasets').then(list => list.datasets, () => [])
  const names = h('datalist', { id: 'correct-datasets' }, datasets.map(one => h('option', { value: one.name })))
  const labels = h('datalist', { id: 'correct-labels' })
  const dataset = h('input', { type: 'text', name: 'dataset', list: names.id, required: true, maxlength: '100', pattern: '[A-Za-z0-9][A-Za-z0-9._\\-]*', autocomplete: 'off', autocapitalize: 'none', title: t('correct.name'), value: preference('dataset', datasets.length === 1 ? datasets[0].name : '') })
  const label = h('input', { type: 'text', name: 'label', list: labels.id, required: true, maxlength: '200', autocomplete: 'off' })
  const offer = () => replace(labels, (datasets.find(one => one.name === dataset.value.trim())?.labels ?? []).map(one => h('option', { value: one.label })))
  dataset.addEventListener('input', offer)
  offer()
  const error = h('p', { class: 'form-error break', role: 'alert', hidden: true })
  const submit = h('button', { class: 'button primary', type: 'submit' }, icon('check'), t('correct.add'))
  const form = h('form', {}, names, labels, h('label', { class: 'field' }, h('span', {}, t('correct.dataset')), dataset), h('label', { class: 'field' }, h('span', {}, t('correct.label')), label), error,
    h('div', { class: 'actions' }, submit, button(t('cancel'), close)))
  form.addEventListener('submit', async event => {
    event.preventDefault()
    error.hidden = submit.disabled = true
    try {
      const response = await send('POST', `${path(dataset.value.trim())}/examples`, { body: { result_id: stored.id, label: label.value.trim() } })
      const example = await response.json()
      prefer('dataset', example.dataset)
      done({ example, isNew: response.status === 201 })
    } catch (failed) {
      error.textContent = sentence(failed)
      error.hidden = submit.disabled = false
    }
  })
  return form
}

// outcome says what was added, with a button that takes it back.
function outcome({ example, isNew }, close) {
  const values = { dataset: example.dataset, label: example.label }
  const text = h('p', { class: 'break', role: 'status', tabindex: '-1' }, icon('check'), ' ', t(isNew ? 'correct.added' : 'correct.known', values))
  const undo = isNew && button(t('correct.undo'), async pressed => {
    pressed.disabled = true
    try {
      await call('DELETE', `${path(example.dataset)}/examples/${example.id}`)
      close()
    } catch (failed) {
      text.textContent = sentence(failed)
      pressed.disabled = false
    }
  }, { kind: 'small' })
  queueMicrotask(() => text.focus())
  return [text, undo]
}
