// Keeps the page up to date while it is visible: after each change on the feed it
// loads the page again and replaces the elements with data-live that differ.
"use strict";
(() => {
	document.documentElement.classList.add("scripts");
	const feed = document.body.dataset.feed;
	if (!feed || !document.querySelector("[data-live]")) return;
	const words = { held: "is held", ok: "is deployed", error: "failed", skipped: "was skipped" };
	let source, timer, loading = false, again = false;

	async function refresh() {
		if (loading) {
			again = true;
			return;
		}
		loading = true;
		try {
			const response = await fetch(location.href, { headers: { Accept: "text/html" } });
			if (response.redirected) return location.reload(); // to sign in
			if (response.ok) replace(new DOMParser().parseFromString(await response.text(), "text/html"));
		} catch {
			// The server can't be reached; the feed connects again by itself.
		} finally {
			loading = false;
			if (again) {
				again = false;
				soon();
			}
		}
	}

	function replace(fresh) {
		for (const old of document.querySelectorAll("[data-live]")) {
			const now = fresh.getElementById(old.id);
			if (!now || now.innerHTML === old.innerHTML) continue;
			if (old.contains(document.activeElement) && document.activeElement.matches("input, select")) continue;
			const focus = place(old, document.activeElement);
			const ends = [...old.querySelectorAll("pre[id]")].filter((e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 4);
			old.innerHTML = now.innerHTML;
			for (const e of ends) {
				const same = document.getElementById(e.id);
				if (same) same.scrollTop = same.scrollHeight;
			}
			if (focus >= 0) focusable(old)[focus]?.focus({ preventScroll: true });
		}
	}

	const focusable = (root) => root.querySelectorAll("a, button, input, select, summary, [tabindex]");
	const place = (root, element) => [...focusable(root)].indexOf(element);

	function soon() {
		clearTimeout(timer);
		timer = setTimeout(refresh, 150);
	}

	function listen() {
		source = new EventSource(feed);
		source.onopen = soon; // what changed since the page was made, or while there was no connection
		source.onmessage = (event) => {
			const change = JSON.parse(event.data);
			if (words[change.status]) {
				document.getElementById("news").textContent = `${change.app_name || "A push"} ${words[change.status]}`;
			}
			soon();
		};
	}

	// A browser has few connections for a server, so pages that nobody sees have none.
	function leave() {
		source?.close();
		source = undefined;
	}

	function look() {
		if (document.hidden) leave();
		else if (!source) listen();
	}
	document.addEventListener("visibilitychange", look);
	addEventListener("pagehide", leave);
	addEventListener("pageshow", look);
	if (!document.hidden) listen();
	setInterval(() => document.hidden || refresh(), 60000); // ages

	const poll = Number(document.querySelector("[data-poll]")?.dataset.poll);
	if (poll) setInterval(() => document.hidden || !document.getElementById("follow")?.checked || refresh(), poll);
})();
