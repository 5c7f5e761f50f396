#!/usr/bin/env node
// Receives the webhook of edgelens and verifies its signatures (https://www.standardwebhooks.com).
//
//     WEBHOOK_SECRET=whsec_... node webhook.mjs 9000
//     edgelens serve --webhook-url http://127.0.0.1:9000/ --webhook-secret "$WEBHOOK_SECRET"

import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const tolerance = 300 // seconds that the clocks may differ by
const maxBody = 8 * 1024 * 1024
const key = Buffer.from((process.env.WEBHOOK_SECRET ?? '').replace(/^whsec_/, ''), 'base64')
const seen = new Set() // ids of messages: one may be delivered twice

// verified reports whether a message is from someone with the secret, and is new.
function verified(headers, body) {
  const id = headers['webhook-id'] ?? '', stamp = headers['webhook-timestamp'] ?? ''
  if (!key.length || !/^\d+$/.test(stamp) || Math.abs(Date.now() / 1000 - Number(stamp)) > tolerance) return false
  const wanted = createHmac('sha256', key).update(`${id}.${stamp}.`).update(body).digest()
  return (headers['webhook-signature'] ?? '').split(' ').filter(one => one.startsWith('v1,')).some(one => {
    const signature = Buffer.from(one.slice(3), 'base64')
    return signature.length === wanted.length && timingSafeEqual(signature, wanted)
  })
}

createServer(async (request, response) => {
  const parts = []
  let size = 0
  for await (const part of request) {
    if ((size += part.length) > maxBody) return response.writeHead(413).end()
    parts.push(part)
  }
  const body = Buffer.concat(parts)
  if (request.method !== 'POST' || !verified(request.headers, body)) return response.writeHead(401).end()
  if (!seen.has(request.headers['webhook-id'])) {
    seen.add(request.headers['webhook-id'])
    const record = JSON.parse(body)
    console.log(`verified: ${record.name || record.type || 'a record'}`)
  }
  response.writeHead(204).end()
}).listen(Number(process.argv[2]), '127.0.0.1')
