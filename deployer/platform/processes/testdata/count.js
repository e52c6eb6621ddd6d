// Counts in its log, and answers like serve.js.
console.log('the secret is ' + process.env.API_SECRET);
let count = 0;
setInterval(() => console.log('count ' + ++count), 10);
require('http').createServer((req, res) => {
  res.end(JSON.stringify({ env: process.env, uid: process.getuid(), groups: process.getgroups(), cwd: process.cwd(), pid: process.pid }));
}).listen(process.env.PORT);
process.on('SIGTERM', () => process.exit(0));
