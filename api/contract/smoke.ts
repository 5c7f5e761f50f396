// Smoke test of the types that openapi-typescript generates: it compiles only
// if the calls match the types, and runs against a service.
//
//     node smoke.js ADDRESS IMAGE DEVICE KEY
import { readFileSync } from 'node:fs'
import type { components, operations, paths } from './client.js'

type Schemas = components['schemas']
type Options = NonNullable<operations['recognize']['parameters']['query']>

const [address, imagePath, device, key] = process.argv.slice(2) as [string, string, string, string]
const image = readFileSync(imagePath)

async function call<T>(path: string, init?: RequestInit): Promise<T> {
  const headers = new Headers(init?.headers)
  headers.set('Authorization', `Bearer ${key}`)
  const answer = await fetch(address + path, { ...init, headers })
  if (!answer.ok) {
    const problem = (await answer.json()) as Schemas['Problem']
    throw new Error(`${path}: ${problem.status} ${problem.detail}`)
  }
  return (await answer.json()) as T
}

function check(what: string, ok: boolean, seen: unknown): void {
  if (!ok) throw new Error(`${what}: ${JSON.stringify(seen)}`)
}

function json(method: string, body: unknown): RequestInit {
  return { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
}

const route: keyof paths = '/api/recognize'
const sent: Schemas['ImageJSON'] = { image: image.toString('base64'), min_score: 0 }
const options: Options = { top_k: 2 }
const recognition = await call<Schemas['Recognition']>(`${route}?top_k=${options.top_k}`, json('POST', sent))
check('recognize', recognition.predictions.length === 2, recognition)

const raw = await call<Schemas['Recognition']>(route, { method: 'POST', body: image, headers: { 'Content-Type': 'image/bmp' } })
check('recognize bytes', raw.image.sha256 === recognition.image.sha256, raw)

const change: operations['changeDevice']['requestBody']['content']['application/json'] = { state: 'accepted' }
const changed = await call<Schemas['Device']>(`/api/devices/${device}`, json('PATCH', change))
check('change', changed.state === 'accepted', changed)

const command: operations['sendCommand']['requestBody']['content']['application/json'] = { cmd: 'open' }
const accepted = await call<Schemas['AcceptedCommand']>(`/api/devices/${device}/commands`, json('POST', command))
check('command', accepted.status === 'queued', accepted)

const results = await call<Schemas['ResultList']>('/api/results?limit=1')
check('results', results.results.length === 1, results)
