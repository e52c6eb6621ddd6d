// Requests the app until the file "enough" exists, and prints whether each request was
// answered, and with what.
const fs = require("node:fs");
const http = require("node:http");

const answers = new Map();
let lost = 0, sent = 0;

function request() {
	return new Promise((resolve) => {
		sent++;
		const failed = (error) => {
			lost++;
			console.log(error.message);
			resolve();
		};
		http.get({ host: "127.0.0.1", port: 8080, path: "/", agent: false, headers: { host: "hello.localhost:8080" } }, (response) => {
			let text = "";
			response.on("data", (part) => { text += part; });
			response.on("error", failed);
			response.on("end", () => {
				if (response.statusCode !== 200) return failed(new Error(`${response.statusCode} ${text}`));
				answers.set(text, (answers.get(text) ?? 0) + 1);
				resolve();
			});
		}).on("error", failed);
	});
}

async function client() {
	do {
		await request();
		fs.writeFileSync("/packages/requested", "");
	} while (!fs.existsSync("/packages/enough"));
}

Promise.all([client(), client(), client(), client()]).then(() => {
	console.log(lost ? `${lost} of ${sent} requests lost` : `all of ${sent} requests answered: ${[...answers.keys()].join(", ")}`);
	process.exitCode = lost ? 1 : 0;
});
