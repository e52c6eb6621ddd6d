'use strict';
// Answers with the text of its commit and for how long it has been up.
const http = require('node:http');
const ms = require('ms');

const server = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end(`hello world, up for ${ms(Math.round(process.uptime() * 1000), { long: true })}\n`);
});

server.listen(process.env.PORT, () => console.log(`listening on port ${process.env.PORT}`));
process.on('SIGTERM', () => server.close());
