// Listens only once it was told that it may.
const port = process.env.PORT;
require('http').get(process.env.ASK + '/?port=' + port, (told) => {
  told.resume().on('end', () => require('http').createServer((req, res) => res.end('late\n')).listen(port));
});
