// Calls of the service: the same API that all clients use (/docs), with the session's cookie or, on the service's own
// machine, without a key.

const timeoutMs = 30_000

// Problem is an error of the service (RFC 9457), or of the way to it: then its code is offline or timeout.
export class Problem extends Error {
  constructor(status, code, detail, requestID = '', retryAfter = 0) {
    super(detail)
    this.status = status
    this.code = code
    this.requestID = requestID
    this.retryAfter = retryAfter
  }
}

let token = ''

// setToken sets what the service wants with each change by a session.
export function setToken(text) {
  token = text ?? ''
}

// whenSignedOut is called after an answer that the session has ended, or never began.
let signedOut = () => {}
export function whenSignedOut(listener) {
  signedOut = listener
}

// address returns a path with a query; empty values are left out.
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return given.length ? `${path}?${new URLSearchParams(given)}` : path
}

// send returns the Response of a call, or throws a Problem. Options: query, body (a Blob or FormData as it is, anything
// else as JSON), headers, signal, timeout in ms.
export async function send(method, path, { query, body, headers = {}, signal, timeout = timeoutMs } = {}) {
  const options = { method, headers: { Accept: 'application/json', ...headers }, cache: 'no-store' }
  if (method !== 'GET' && token) options.headers['X-CSRF-Token'] = token
  if (body !== undefined) {
    const isRaw = body instanceof Blob || body instanceof FormData
    options.body = isRaw ? body : JSON.stringify(body)
    if (!isRaw) options.headers['Content-Type'] = 'application/json'
  }
  const ending = new AbortController()
  const timer = setTimeout(() => ending.abort(), timeout)
  const cancel = () => ending.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  if (signal?.aborted) ending.abort()
  options.signal = ending.signal
  try {
    const response = await fetch(address(path, query), options)
    if (!response.ok) throw await problemOf(response)
    return response
  } catch (error) {
    if (error instanceof Problem || signal?.aborted) throw error
    throw new Problem(0, ending.signal.aborted ? 'timeout' : 'offline', '')
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', cancel)
  }
}

async function problemOf(response) {
  let content = {}
  try {
    content = await response.json()
  } catch {
    // Not a problem of this service, perhaps a proxy's page: the status is all there is.
  }
  if (response.status === 401) signedOut()
  return new Problem(response.status, content.code ?? 'unknown', content.detail ?? `HTTP ${response.status}`,
    content.request_id ?? response.headers.get('X-Request-Id') ?? '', Number(response.headers.get('Retry-After')) || 0)
}

// call is send for answers in JSON; null for an empty one.
export async function call(method, path, options) {
  const response = await send(method, path, options)
  if (response.status === 204) return null
  return response.json()
}

export const get = (path, query, signal) => call('GET', path, { query, signal })

// readiness returns the service's state: it comes with the status 503, too, where it is bad.
export async function readiness(signal) {
  const response = await fetch('/readyz', { signal, cache: 'no-store', headers: { Accept: 'application/json' } })
  const content = await response.json()
  if (!content || !['ok', 'degraded', 'unavailable'].includes(content.status)) throw new Problem(response.status, 'unknown', `HTTP ${response.status}`)
  return content
}
