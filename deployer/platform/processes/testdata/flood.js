// Serves, and says far too much when it is asked to.
const { spawn } = require('child_process');
const commands = {
  // Many lines, and one of 50 MB.
  '/flood': 'yes some line | head -n 3000000; head -c 50000000 /dev/zero; echo; echo last words',
  // One line of 1 GB, that is no text.
  '/line': "yes \"$(printf '\\377x')\" | tr -d '\\n' | head -c 1000000000; echo; echo last words",
};
require('http').createServer((req, res) => {
  if (req.url === '/forever') {
    spawn('yes', ['some line'], { stdio: ['ignore', 'inherit', 'inherit'] });
    return res.end('begun\n');
  }
  if (!commands[req.url]) {
    console.log('a request');
    return res.end('serving\n');
  }
  const shell = spawn('sh', ['-c', commands[req.url]], { stdio: ['ignore', 'inherit', 'inherit'] });
  shell.on('exit', () => res.end('done\n'));
}).listen(process.env.PORT);
