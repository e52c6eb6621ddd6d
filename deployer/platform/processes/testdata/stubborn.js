// Does not end when told to.
process.on('SIGTERM', () => console.log('no'));
require('http').createServer((req, res) => res.end('still here\n')).listen(process.env.PORT);
