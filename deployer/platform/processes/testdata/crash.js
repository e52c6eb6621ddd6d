// Listens, and crashes as soon as it is asked or, with LIFE, by itself.
require('http').createServer((req, res) => res.end('x')).listen(process.env.PORT, () => {
  if (process.env.LIFE) setTimeout(() => { throw new Error('out of luck'); }, Number(process.env.LIFE));
});
