// Server-sent events by fetch. EventSource cannot resume once it was closed, as it is in a hidden tab, and hides the status of
// a refusal.

const firstWait = 500
const longestWait = 30_000
// The service sends a comment every 15 seconds: a connection without any is dead, even if no error came.
const silence = 40_000
const steadyAfter = 10_000
const longestLine = 1 << 20

// Stream follows one URL from start to stop. onEvent gets { id, type, data }, each id once and in order; onState gets
// connecting, open, waiting (for the next try), or refused with the status.
export class Stream {
  #url
  #onEvent
  #onState
  #stopping = null
  #hurry = () => {}
  #lastID = ''

  constructor(url, onEvent, onState = () => {}) {
    this.#url = url
    this.#onEvent = onEvent
    this.#onState = onState
  }

  get running() {
    return this.#stopping !== null
  }

  // start begins, or resumes after the last event; with afresh, those in between are skipped.
  start(afresh = false) {
    if (this.running) return
    if (afresh) this.#lastID = ''
    this.#stopping = new AbortController()
    this.#follow(this.#stopping.signal)
  }

  stop() {
    this.#stopping?.abort()
    this.#stopping = null
  }

  // retry tries at once where the next try would come later: the network is back.
  retry() {
    this.#hurry()
  }

  async #follow(stopping) {
    let wait = firstWait
    while (!stopping.aborted) {
      const began = Date.now()
      this.#onState('connecting')
      const refused = await this.#connect(stopping)
      if (stopping.aborted) return
      if (refused) {
        this.stop()
        this.#onState('refused', refused)
        return
      }
      if (Date.now() - began > steadyAfter) wait = firstWait
      this.#onState('waiting')
      await this.#pause(wait * (0.75 + Math.random() / 2), stopping)
      wait = Math.min(wait * 2, longestWait)
    }
  }

  // connect reads until the connection ends; it returns the status where trying again is of no use.
  async #connect(stopping) {
    const connection = new AbortController()
    const end = () => connection.abort()
    stopping.addEventListener('abort', end, { once: true })
    let watchdog = setTimeout(end, silence)
    try {
      const headers = { Accept: 'text/event-stream' }
      if (this.#lastID) headers['Last-Event-ID'] = this.#lastID
      const response = await fetch(this.#url, { headers, cache: 'no-store', signal: connection.signal })
      if ([400, 401, 403, 404].includes(response.status)) return response.status
      if (!response.ok || !response.body) return 0
      this.#onState('open')
      const parse = new Parser(event => this.#pass(event))
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { value, done } = await reader.read()
        if (done || stopping.aborted) return 0
        clearTimeout(watchdog)
        watchdog = setTimeout(end, silence)
        parse.add(value)
      }
    } catch {
      return 0 // the connection failed or was ended; the next try resumes
    } finally {
      clearTimeout(watchdog)
      stopping.removeEventListener('abort', end)
      connection.abort()
    }
  }

  // pass drops an event that came before: a stream that resumes may begin with the last one.
  #pass(event) {
    if (event.id) {
      const seq = Number(event.id), last = Number(this.#lastID)
      if (this.#lastID && Number.isFinite(seq) && Number.isFinite(last) ? seq <= last : event.id === this.#lastID) return
      this.#lastID = event.id
    }
    this.#onEvent(event)
  }

  #pause(ms, stopping) {
    return new Promise(resolve => {
      const done = () => {
        clearTimeout(timer)
        stopping.removeEventListener('abort', done)
        this.#hurry = () => {}
        resolve()
      }
      const timer = setTimeout(done, ms)
      stopping.addEventListener('abort', done, { once: true })
      this.#hurry = done
    })
  }
}

// Parser reads the format of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
export class Parser {
  #onEvent
  #rest = ''
  #id = ''
  #type = ''
  #data = []

  constructor(onEvent) {
    this.#onEvent = onEvent
  }

  add(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop()
    if (this.#rest.length > longestLine) throw new Error('a line of the stream is too long')
    for (const line of lines) this.#line(line)
  }

  #line(line) {
    if (line === '') {
      if (this.#data.length) this.#onEvent({ id: this.#id, type: this.#type || 'message', data: this.#data.join('\n') })
      this.#type = ''
      this.#data = []
      this.#id = ''
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return // a comment
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') this.#data.push(value)
    else if (field === 'event') this.#type = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
  }
}
