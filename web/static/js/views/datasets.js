// The datasets of this node: how many examples each has of which label, and the last images that the key may see.

import { h, replace } from '../dom.js'
import { get } from '../api.js'
import { card, time } from '../parts.js'
import { may } from '../live.js'
import { t } from '../strings.js'
import { number } from '../format.js'

const mostImages = 6
const mostLabels = 20
const mostDatasets = 30

// readDatasets fills a place with a card; it stays empty without datasets, or where they cannot be read.
export async function readDatasets(place) {
  if (!may('learn', 'page')) return
  const list = await get('/api/datasets').then(answer => answer.datasets.slice(0, mostDatasets), () => [])
  if (list.length === 0) return
  const images = list.map(() => h('div', { class: 'badges' }))
  replace(place, card(t('datasets'), h('ul', { class: 'plain models' }, list.map((one, i) => item(one, images[i])))))
  for (const [i, one] of list.entries()) await readImages(one.name, images[i])
}

function item(dataset, images) {
  const labels = dataset.labels.slice(0, mostLabels).map(one => `${one.label} ${number(one.count)}`)
  if (dataset.labels.length > mostLabels) labels.push('…')
  return h('li', { class: 'model' },
    h('div', { class: 'model-head' }, h('b', { class: 'break' }, dataset.name), h('span', { class: 'muted small' }, t('datasets.examples', { n: number(dataset.examples) })), time(dataset.changed_at, 'muted small')),
    h('p', { class: 'muted small break' }, labels.join(', ')), images)
}

async function readImages(name, place) {
  const path = `/api/datasets/${encodeURIComponent(name)}/examples`
  const page = await get(path, { limit: mostImages }).catch(() => ({ examples: [] }))
  replace(place, page.examples.map(one => h('img', { class: 'thumb', src: `${path}/${one.id}/image`, alt: one.label, title: one.label, loading: 'lazy' })))
}
