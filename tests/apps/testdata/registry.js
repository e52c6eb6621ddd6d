'use strict'

// A registry on loopback with the packages of npm's own: npm's library fetches
// them, and keeps them in the cache of whoever runs the tests. What is in the
// cache is not fetched again, so each platform may begin with nothing.
//
//   node registry.js FOLDER_OF_NPM
//
// It prints its URL, and ends with its stdin.

const { execFileSync } = require('child_process')
const fs = require('fs')
const http = require('http')
const path = require('path')
const pacote = require(path.join(process.argv[2], 'node_modules', 'pacote'))

const settings = JSON.parse(execFileSync('npm', ['config', 'list', '--json'], { stdio: ['ignore', 'pipe', 'ignore'] }))
const options = {
  registry: settings.registry,
  cache: path.join(settings.cache, '_cacache'),
  ca: settings.cafile ? fs.readFileSync(settings.cafile, 'utf8') : settings.ca,
  preferOffline: true
}

// What is known about a package is a large object, and written as JSON once.
const packuments = new Map()

function packument (name) {
  if (!packuments.has(name)) {
    const text = pacote.packument(name, options).then((found) => Buffer.from(JSON.stringify(here(found))))
    packuments.set(name, text)
    text.catch(() => packuments.delete(name))
  }
  return packuments.get(name)
}

const server = http.createServer(async (req, res) => {
  try {
    res.setHeader('Cache-Control', 'max-age=300') // as the true one has it
    const [, name, version] = decodeURIComponent(req.url).match(/^\/((?:@[^/]+\/)?[^/]+)(?:\/-\/.*-(\d+\.\d+\.\d+.*)\.tgz)?$/) || []
    if (!name) {
      res.writeHead(404).end('{}')
    } else if (version) {
      const at = `${options.registry.replace(/\/*$/, '/')}${name}/-/${path.basename(name)}-${version}.tgz`
      res.end(await pacote.tarball(at, options))
    } else {
      res.end(await packument(name))
    }
  } catch (err) {
    res.writeHead(err.code === 'E404' ? 404 : 502).end(JSON.stringify({ error: String(err) }))
  }
})

// here lets the archives of a package be fetched from this registry.
function here (packument) {
  const versions = {}
  for (const [version, manifest] of Object.entries(packument.versions)) {
    const tarball = `http://127.0.0.1:${server.address().port}/${packument.name}/-/${path.basename(packument.name)}-${version}.tgz`
    versions[version] = { ...manifest, dist: { ...manifest.dist, tarball } }
  }
  return { ...packument, versions }
}

server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
process.stdin.resume().on('end', () => process.exit())
