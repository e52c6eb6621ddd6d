'use strict'

const fs = require('fs')
const http = require('http')
const { Server } = require('socket.io')

const version = fs.readFileSync(`${__dirname}/version.txt`, 'utf8').trim()
const server = http.createServer((req, res) => res.end(version))
const io = new Server(server)

io.on('connection', (socket) => {
  socket.emit('welcome', { version, transport: socket.conn.transport.name })
  socket.on('say', (text, heard) => {
    socket.broadcast.emit('said', { version, text })
    heard()
  })
})

server.listen(process.env.PORT)
