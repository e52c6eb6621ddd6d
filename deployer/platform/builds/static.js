'use strict'

// Serves a static site: node static.js FOLDER [FALLBACK]

const fs = require('fs')
const http = require('http')
const path = require('path')

const root = fs.realpathSync(process.argv[2])
const fallback = process.argv[3]

const types = {
  '.html': 'text/html; charset=utf-8', '.htm': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8', '.mjs': 'text/javascript; charset=utf-8', '.json': 'application/json',
  '.map': 'application/json', '.webmanifest': 'application/manifest+json', '.txt': 'text/plain; charset=utf-8',
  '.xml': 'application/xml', '.svg': 'image/svg+xml', '.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg',
  '.gif': 'image/gif', '.webp': 'image/webp', '.avif': 'image/avif', '.ico': 'image/x-icon', '.woff': 'font/woff',
  '.woff2': 'font/woff2', '.ttf': 'font/ttf', '.otf': 'font/otf', '.wasm': 'application/wasm', '.pdf': 'application/pdf',
  '.mp4': 'video/mp4', '.webm': 'video/webm', '.mp3': 'audio/mpeg', '.wav': 'audio/wav', '.zip': 'application/zip'
}

// file returns a file below the folder with what is known of it.
function file (name) {
  try {
    const real = fs.realpathSync(path.join(root, name))
    if (real !== root && !real.startsWith(root + path.sep)) return null
    const stat = fs.statSync(real)
    return stat.isFile() ? { name: real, stat } : null
  } catch {
    return null
  }
}

// isHidden reports whether a path has a part that is not for the public.
function isHidden (name) {
  return name.split('/').some((part) => (part.startsWith('.') && part !== '.well-known') || part === 'node_modules')
}

// find returns the file for a path, or where the browser should look for it.
function find (name) {
  if (isHidden(name)) return {}
  if (name.endsWith('/')) return { found: file(name + 'index.html') }
  const found = file(name) || file(name + '.html')
  if (!found && file(name + '/index.html')) return { move: name + '/' }
  return { found }
}

// packed returns the compressed file beside one that the client accepts.
function packed (req, found) {
  const accepts = String(req.headers['accept-encoding'] || '')
  for (const [encoding, ending] of [['br', '.br'], ['gzip', '.gz']]) {
    if (!new RegExp(`(^|[,\\s])${encoding}(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))`).test(accepts)) continue
    const beside = file(path.relative(root, found.name) + ending)
    if (beside) return { ...beside, encoding }
  }
  return found
}

// range returns the first and the last byte that are asked for.
function range (req, size, tag) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(req.headers.range || '')
  if (!match || (!match[1] && !match[2]) || (req.headers['if-range'] && req.headers['if-range'] !== tag)) return null
  let [first, last] = [Number(match[1]), match[2] ? Number(match[2]) : size - 1]
  if (!match[1]) [first, last] = [Math.max(0, size - Number(match[2])), size - 1]
  return { first, last: Math.min(last, size - 1) }
}

function send (req, res, status, original) {
  const { name, stat, encoding } = packed(req, original)
  const tag = `"${stat.size.toString(36)}-${Math.floor(stat.mtimeMs).toString(36)}"`
  res.setHeader('Content-Type', types[path.extname(original.name).toLowerCase()] || 'application/octet-stream')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.setHeader('ETag', tag)
  res.setHeader('Last-Modified', stat.mtime.toUTCString())
  res.setHeader('Vary', 'Accept-Encoding')
  res.setHeader('Accept-Ranges', 'bytes')
  if (encoding) res.setHeader('Content-Encoding', encoding)
  const known = String(req.headers['if-none-match'] || '').split(',').map((text) => text.trim().replace(/^W\//, ''))
  if (status === 200 && (known.includes(tag) || known.includes('*'))) return res.writeHead(304).end()
  let [first, last] = [0, stat.size - 1]
  const part = status === 200 && range(req, stat.size, tag)
  if (part) {
    if (part.first > part.last) return res.writeHead(416, { 'Content-Range': `bytes */${stat.size}` }).end()
    first = part.first
    last = part.last
    status = 206
    res.setHeader('Content-Range', `bytes ${first}-${last}/${stat.size}`)
  }
  res.writeHead(status, { 'Content-Length': last - first + 1 })
  if (req.method === 'HEAD' || last < first) return res.end()
  fs.createReadStream(name, { start: first, end: last }).on('error', () => res.destroy()).pipe(res)
}

const server = http.createServer((req, res) => {
  if (req.method !== 'GET' && req.method !== 'HEAD') return res.writeHead(405, { Allow: 'GET, HEAD' }).end()
  let name
  try {
    name = path.posix.normalize(decodeURIComponent(req.url.split('?')[0]))
  } catch {
    return res.writeHead(400).end()
  }
  if (name.includes('\0') || name.includes('\\') || !name.startsWith('/')) return res.writeHead(400).end()
  const { found, move } = find(name)
  if (move) return res.writeHead(308, { Location: encodeURI(move) }).end()
  if (found) return send(req, res, 200, found)
  const page = fallback && !path.extname(name) && file(fallback)
  if (page) return send(req, res, 200, page)
  const missing = file('404.html')
  if (missing) return send(req, res, 404, missing)
  res.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Not found\n')
})

server.keepAliveTimeout = 60_000
server.listen(process.env.PORT)
process.on('SIGTERM', () => server.close(() => process.exit()))
