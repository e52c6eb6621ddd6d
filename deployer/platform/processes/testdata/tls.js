// Speaks TLS on its port and, if BOTH is set, HTTP too.
const answer = (req, res) => res.end('hello\n');
const tls = require('https').createServer({ key: process.env.KEY, cert: process.env.CERT, requestCert: true, rejectUnauthorized: true }, answer);
const plain = require('http').createServer(answer);
const both = require('net').createServer((socket) => {
  socket.once('data', (first) => {
    socket.pause();
    (first[0] === 0x16 ? tls : plain).emit('connection', socket);
    socket.unshift(first);
    process.nextTick(() => socket.resume());
  });
  socket.on('error', () => {});
});
(process.env.BOTH ? both : tls).listen(process.env.PORT);
