// Serves, and says far too much, with a line that never ends in between.
const { spawn } = require('child_process');
require('http').createServer((req, res) => {
  if (req.url !== '/flood') return res.end('serving\n');
  const yes = spawn('sh', ['-c', 'yes some line | head -n 3000000; head -c 50000000 /dev/zero; echo; echo last words'], { stdio: ['ignore', 'inherit', 'inherit'] });
  yes.on('exit', () => res.end('done\n'));
}).listen(process.env.PORT);
