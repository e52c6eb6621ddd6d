// Accepts connections, and from then on takes all the memory that it can get.
const held = [];
require('http').createServer((req, res) => res.end()).listen(process.env.PORT, () => {
  console.error('taking memory');
  setInterval(() => held.push(Buffer.alloc(20 << 20, 1)), 10);
});
