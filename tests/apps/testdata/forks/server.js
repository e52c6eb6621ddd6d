'use strict'

const cluster = require('cluster')
const http = require('http')
const { spawn } = require('child_process')

if (cluster.isPrimary) {
  const start = (command, args, options) => spawn(command, args, { stdio: 'ignore', ...options })
  start('sleep', ['1001'])
  // A session of its own, without a parent that waits for it.
  start('sh', ['-c', 'setsid sleep 1002 & exit'])
  start('sh', ['-c', '(setsid sh -c "sleep 1003 & exit" &) ; exit'], { detached: true }).unref()
  // Deaf to SIGTERM.
  start('sh', ['-c', 'trap "" TERM; sleep 1004; sleep 1004'])
  // Without the environment by which the platform knows what it started.
  if (process.env.UNMARKED) start('setsid', ['sleep', '1005'], { env: {}, detached: true }).unref()
  cluster.fork()
  cluster.fork()
} else {
  http.createServer((req, res) => res.end(`worker of ${process.ppid}`)).listen(process.env.PORT)
}
