'use strict'

const fs = require('fs')
const http = require('http')

const version = fs.readFileSync(`${__dirname}/version.txt`, 'utf8').trim()
const streams = new Set()

const server = http.createServer((req, res) => {
  if (req.url === '/events') {
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
    res.flushHeaders()
    streams.add(res)
    res.on('close', () => streams.delete(res))
  } else if (req.method === 'POST') {
    for (const stream of streams) stream.write(`event: said\ndata: ${version} ${req.url}\n\n`)
    res.end()
  } else {
    res.end(`${version} ${streams.size}`)
  }
}).listen(process.env.PORT)

setInterval(() => { for (const stream of streams) stream.write(': still here\n\n') }, 100)

process.on('SIGTERM', () => {
  for (const stream of streams) stream.end('event: bye\n\n')
  server.close(() => process.exit())
})
