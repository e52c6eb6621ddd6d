// An app that says whether another drone of it runs.
const fs = require('fs');
const net = require('net');
process.chdir(process.env.DATA_DIR); // the path of a socket must be short
net.connect('./socket')
  .on('connect', () => console.log('twice'))
  .on('error', () => {
    fs.rmSync('socket', { force: true });
    net.createServer().listen('./socket', () => console.log('alone ' + process.pid));
  });
net.createServer().listen(process.env.PORT || 0);
if (process.env.STUBBORN) process.on('SIGTERM', () => {});
