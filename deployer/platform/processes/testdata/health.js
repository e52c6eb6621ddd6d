// Answers its health path with the statuses of STATUSES in turn, the last one
// for ever, and redirects to where nobody should go.
const statuses = process.env.STATUSES.split(' ').map(Number);
require('http').createServer((req, res) => {
  if (req.url !== '/healthz?deep=1') return res.end('hello\n');
  const status = statuses.length > 1 ? statuses.shift() : statuses[0];
  console.log('health', status);
  if (status === 0) return process.exit(9);
  if (status === 1) return req.socket.destroy();
  res.writeHead(status, { location: '/elsewhere' }).end();
}).listen(process.env.PORT);
