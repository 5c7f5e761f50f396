// What several views want to know of the service and that seldom changes: names of devices, and settings.

import { get } from './api.js'
import { may, onEvents } from './live.js'

// mostNames bounds how many names are read; other devices go by their ids.
const mostNames = 1000
const names = new Map()
let reading = null
let following = false

// readNames reads the display names of the devices, at most once at a time; a failure leaves the ids in their place.
export function readNames() {
  if (!may('devices', 'page')) return Promise.resolve()
  if (!following) {
    following = true
    onEvents(['device'], () => { readNames() }, 30_000)
  }
  reading ??= get('/api/devices', { named: true, limit: mostNames }).then(list => replaceNames(list.devices), () => {}).finally(() => { reading = null })
  return reading
}

function replaceNames(list) {
  names.clear()
  noteNames(list)
}

// noteNames takes over the names of some devices.
export function noteNames(list) {
  for (const device of list) {
    if (device.display_name) names.set(device.id, device.display_name)
    else names.delete(device.id)
  }
}

// deviceName returns what people call a device.
export const deviceName = id => names.get(id) ?? id

let settings = null

// setting returns the value of a setting as text; undefined where this session may not know it.
export async function setting(key) {
  if (!may('page')) return undefined
  settings ??= get('/api/settings').then(list => new Map(list.settings.map(one => [one.key, one.value])), () => new Map())
  return (await settings).get(key)
}
