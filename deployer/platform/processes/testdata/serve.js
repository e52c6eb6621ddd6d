// An app with a request that takes until it is let go, a look at its
// environment, and children.
const http = require('http');
const { spawn } = require('child_process');
const held = [];
const server = http.createServer((req, res) => {
  switch (req.url) {
    case '/env':
      return res.end(JSON.stringify({ env: process.env, uid: process.getuid(), groups: process.getgroups(), cwd: process.cwd(), pid: process.pid }));
    case '/hold':
      res.writeHead(200);
      res.write('held\n');
      return held.push(res);
    case '/release':
      for (const other of held.splice(0)) other.end('released\n');
      return res.end();
    case '/exit':
      res.end('bye');
      return setImmediate(() => process.exit(3));
    case '/eat':
      // All that it can get; an end of it is an exception, and ours.
      for (;;) held.push(Buffer.alloc(10 << 20, 1));
    case '/fork': {
      // One child in the group, and one that has left it and lost its parent.
      const inside = spawn('sleep', ['1000'], { stdio: 'ignore' });
      const outside = spawn('sh', ['-c', 'setsid sleep 1001 & echo $!'], { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
      let text = '';
      outside.stdout.on('data', (data) => { text += data; if (text.includes('\n')) res.end(JSON.stringify([inside.pid, parseInt(text)])); });
      return;
    }
    default:
      return res.end((process.env.ANSWER || 'hello') + '\n');
  }
});
server.listen(process.env.PORT, () => console.log('listening'));
if (!process.env.UNAWARE) process.on('SIGTERM', () => { console.log('ending'); server.close(() => process.exit(0)); server.closeIdleConnections?.(); });
