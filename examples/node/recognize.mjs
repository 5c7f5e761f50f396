#!/usr/bin/env node
// Recognizes images with edgelens. Needs nothing but Node 18.
//
//     node recognize.mjs cat.jpg
//     EDGELENS_SERVER=http://192.168.1.20:8080 EDGELENS_KEY=elk_... node recognize.mjs *.jpg

import { readFile } from 'node:fs/promises'

const server = process.env.EDGELENS_SERVER ?? 'http://127.0.0.1:8080'
const key = process.env.EDGELENS_KEY
const tries = 5

// recognize returns the answer for the bytes of an image. A busy service is asked again, when it asks for it.
export async function recognize(image) {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(new URL('/api/recognize', server), {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream', ...(key && { Authorization: `Bearer ${key}` }) },
      body: image,
    })
    if (response.ok) return response.json()
    if ([429, 503].includes(response.status) && attempt < tries) {
      const seconds = Math.min(30, Number(response.headers.get('Retry-After') ?? 1))
      await new Promise(resolve => setTimeout(resolve, seconds * 1000))
      continue
    }
    const problem = await response.json().catch(() => ({}))
    throw new Error(problem.detail ?? `HTTP ${response.status}`)
  }
}

for (const path of process.argv.slice(2)) {
  try {
    const { predictions: [best] } = await recognize(await readFile(path))
    console.log(`${path}\t${best?.label ?? 'nothing'}\t${(best?.probability ?? 0).toFixed(2)}`)
  } catch (error) {
    console.error(`${path}: ${error.message}`)
    process.exitCode = 1
  }
}
