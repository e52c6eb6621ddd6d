console.log('I never listen');
process.on('SIGTERM', () => {});
setInterval(() => {}, 1000);
