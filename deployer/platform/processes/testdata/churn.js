// Keeps 100 MB of objects, and makes as much garbage again with each request.
const make = (n) => Array.from({ length: n }, (_, i) => ({ i, text: 'x' + i, list: [i, i + 1, i + 2] }));
const live = Array.from({ length: 10 }, () => make(60000));
let turn = 0;
require('http').createServer((req, res) => {
  live[turn++ % live.length] = make(60000);
  res.end('ok\n');
}).listen(process.env.PORT);
