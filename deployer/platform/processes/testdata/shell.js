// Runs what it is asked to, so that a test can try what an app may do.
const http = require('http');
const fs = require('fs');
const { spawn } = require('child_process');
http.createServer((req, res) => {
  const url = new URL(req.url, 'http://app');
  switch (url.pathname) {
    case '/run': {
      // Answers when the shell has ended, whoever else has its output.
      const shell = spawn('/bin/sh', ['-c', url.searchParams.get('command')]);
      let text = '';
      shell.stdout.on('data', (data) => { text += data; });
      shell.stderr.on('data', (data) => { text += data; });
      shell.on('error', (error) => res.end(JSON.stringify({ code: -1, text: String(error) })));
      return shell.on('exit', (code) => setImmediate(() => res.end(JSON.stringify({ code, text }))));
    }
    case '/files': {
      const held = [];
      try {
        for (;;) held.push(fs.openSync('/dev/null'));
      } catch (error) {
        res.end(JSON.stringify({ code: held.length, text: error.code }));
      }
      return held.forEach((file) => fs.closeSync(file));
    }
    default:
      return res.end('serving\n');
  }
}).listen(process.env.PORT, () => console.log('listening'));
