console.log('starting up');
console.error('no database');
process.exit(7);
