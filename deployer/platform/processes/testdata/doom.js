// Exits when asked to, and as often as it was asked to at its next starts.
const fs = require('fs');
const doom = process.env.HOME + '/' + (process.env.DOOM || 'doom');
const left = fs.existsSync(doom) ? Number(fs.readFileSync(doom)) : 0;
if (left > 0) {
  fs.writeFileSync(doom, String(left - 1));
  process.exit(4);
}
if (process.env.ONCE) fs.writeFileSync(doom, '1000');
require('http').createServer((req, res) => {
  const asked = /^\/doom\/(\d+)$/.exec(req.url);
  if (!asked) return res.end('hello\n');
  fs.writeFileSync(doom, asked[1]);
  res.end('bye\n', () => process.exit(4));
}).listen(process.env.PORT);
