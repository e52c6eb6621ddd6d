'use strict'

const express = require('express')
const fs = require('fs')
const path = require('path')

// Read at the start: a request must see one version alone.
const version = fs.readFileSync(path.join(__dirname, 'version.txt'), 'utf8').trim()

const app = express()
app.set('view engine', 'ejs')
app.set('views', path.join(__dirname, 'views'))
app.use((req, res, next) => { res.set('X-Version', version); next() })
app.use('/public', express.static(path.join(__dirname, 'public')))
app.get('/', (req, res) => res.render('index', { version, who: req.query.who }))
app.post('/echo', express.json({ limit: '1mb' }), (req, res) => res.json({ version, got: req.body }))
app.listen(process.env.PORT)
