'use strict'

// Two that chat: what one is told on stdin, as {"client":0,"text":"…"}, it
// says; what happens to them is told on stdout, a line of JSON each.
//
//   node client.js URL ADDRESS    ADDRESS, host:port, is where URL's host is

const dns = require('dns')
const readline = require('readline')
const { io } = require('socket.io-client')

const [url, address] = process.argv.slice(2)
const at = address.split(':')[0]
dns.lookup = (host, options, done) => {
  if (typeof options === 'function') [done, options] = [options, {}]
  process.nextTick(() => options.all ? done(null, [{ address: at, family: 4 }]) : done(null, at, 4))
}

// One by WebSocket alone, one that begins with requests, as browsers do.
const clients = [['websocket'], ['polling', 'websocket']].map((transports, client) => {
  const tell = (event, more) => console.log(JSON.stringify({ client, event, ...more }))
  const socket = io(url, { transports, reconnectionDelay: 100, reconnectionDelayMax: 500 })
  socket.on('welcome', (more) => tell('welcome', more))
  socket.on('said', (more) => tell('said', more))
  socket.on('disconnect', () => tell('disconnect'))
  socket.on('connect_error', (err) => tell('error', { text: String(err) }))
  socket.on('connect', () => {
    const engine = socket.io.engine
    if (engine.transport.name === 'websocket') tell('websocket')
    else engine.once('upgrade', () => tell('websocket'))
  })
  return socket
})

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { client, text } = JSON.parse(line)
    clients[client].emit('say', text, () => {})
  })
  .on('close', () => process.exit())
