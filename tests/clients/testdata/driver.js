// Makes calls of the npm package nodejitsu-api, as they are asked for.
//
//   node driver.js FOLDER
//
// FOLDER has the package installed. The first line of stdin is the options of
// its createClient; each further one is a call, answered by a line on stdout:
//
//   {"on":"apps","call":"view","args":["app"]}
//   {"error":null,"result":{…}}
//
// The answer to an upload is a stream: its text comes in lines before that,
// {"chunk":"…"}, and its trailers with it. So does what the library tells of
// its progress.
'use strict';

const readline = require('readline');
const library = require(require.resolve('nodejitsu-api', { paths: [process.argv[2]] }));

const write = (line) => process.stdout.write(JSON.stringify(line) + '\n');

const told = (err) => err && { status: err.statusCode || 0, message: err.message, result: err.result };

let client;

function call({ on, call, args }, done) {
	if (call === 'live') return live(args, done);
	const sent = { start: 0, data: 0 };
	const progress = client[on][call](...args, (err, result) => {
		if (on !== 'snapshots' || call !== 'create' || err) {
			write({ error: told(err), result });
			return done();
		}
		result.setEncoding('utf8');
		result.on('data', (chunk) => write({ chunk }));
		result.on('error', (broken) => { write({ error: told(broken) }); done(); });
		result.on('end', () => {
			const finish = () => {
				write({ error: null, status: result.statusCode, trailers: result.trailers, sent });
				done();
			};
			// The library looks at it now and then, so it may be behind. Of what is
			// large not all may be sent, where it isn't wanted.
			if (sent.end || sent.start > 1 << 16) finish();
			else progress.once('end', finish);
		});
	});
	if (!progress) return;
	progress.on('start', (stat) => { sent.start = stat.size; });
	progress.on('data', (bytes) => { sent.data += bytes; });
	progress.on('end', () => { sent.end = true; });
}

// The first line that a log goes on with.
function live(args, done) {
	client.logs.live(...args, (err, socket) => {
		const end = (line) => {
			if (!done) return;
			write(line);
			socket.end();
			done();
			done = null;
		};
		socket.on('data', (result) => end({ error: null, result }));
		socket.on('error', (broken) => end({ error: told(broken) }));
	});
}

const waiting = [];
let busy = false;

function next() {
	if (busy || waiting.length === 0) return;
	busy = true;
	call(waiting.shift(), () => { busy = false; next(); });
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
	const asked = JSON.parse(line);
	if (!client) {
		client = library.createClient(asked);
		return;
	}
	waiting.push(asked);
	next();
}).on('close', () => process.exit(0));
