// Prepares an image for sending: scaled down where it is larger than any model looks at.

import { number } from './format.js'

const longestSide = 1600
const smallEnough = 400_000
const quality = 0.92

// prepare returns { blob, name, from, to }: what to send, and, where it was scaled, the sizes before and after. An image
// that this browser cannot decode is sent as it is: the service knows more formats.
export async function prepare(file, { original = false } = {}) {
  const name = file.name || 'photo.jpg'
  if (original) return { blob: file, name }
  let bitmap
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' })
  } catch {
    return { blob: file, name }
  }
  try {
    const { width, height } = bitmap
    const factor = longestSide / Math.max(width, height)
    if (factor >= 1 || file.size <= smallEnough) return { blob: file, name }
    const canvas = document.createElement('canvas')
    canvas.width = Math.round(width * factor)
    canvas.height = Math.round(height * factor)
    const c = canvas.getContext('2d')
    c.fillStyle = '#fff' // behind transparent images, as the service has it
    c.fillRect(0, 0, canvas.width, canvas.height)
    c.imageSmoothingQuality = 'high'
    c.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    const blob = await new Promise(resolve => canvas.toBlob(resolve, 'image/jpeg', quality))
    if (!blob || blob.size >= file.size) return { blob: file, name }
    return {
      blob, name: name.replace(/\.[^.]*$/, '') + '.jpg',
      from: { pixels: pixels(width, height), bytes: file.size }, to: { pixels: pixels(canvas.width, canvas.height), bytes: blob.size },
    }
  } finally {
    bitmap.close()
  }
}

const pixels = (width, height) => `${number(width)} × ${number(height)}`

// imageOf returns the first image of a drop, a paste or a file input; null if there is none.
export function imageOf(list) {
  const files = [...(list ?? [])]
  return files.find(file => file.type.startsWith('image/')) ?? files.find(file => file.type === '') ?? null
}

// curl returns the command that does the same as the page.
export function curl(origin, name, needsKey) {
  const file = /[;,"\\]/.test(name) ? 'photo.jpg' : name // curl itself reads these characters
  const quoted = /^[\w.-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`
  const key = needsKey ? "-H 'Authorization: Bearer elk_...' " : ''
  return `curl ${key}-F file=@${quoted} '${origin}/api/recognize?top_k=5'`
}
