#!/usr/bin/env bash
# Measures webhooks beside its peers and beside floors. See --help.
set -euo pipefail

usage() {
	cat <<-'END'
		Usage: ./tools/bench.sh [AREA…] [--quick]

		Measures webhooks beside its peers (adnanh/webhook, nginx, Caddy, centrifugo, and
		libraries that parse deliveries) and beside floors, programs that do only what no
		server of the kind can leave out; all of them in turn, several times, on loopback.
		Writes the tables to the terminal, and those of a full run to
		docs/performance.md, which explains them. Takes at most 20
		minutes, with --quick 3. The machine should have nothing else to do.

		Installs what is missing: with apt on Debian; elsewhere it says what to install.
		Another adnanh/webhook than Debian's is named by BENCH_WEBHOOK. centrifugo takes
		part if BENCH_CENTRIFUGO names it, which takes a while to build:
		  go install github.com/centrifugal/centrifugo/v6@v6.9.1

		Areas: intake refusals overload parse repack feed router deployment entries growth start

		Examples:
		  ./tools/bench.sh
		  ./tools/bench.sh intake refusals
		  ./tools/bench.sh feed --quick

		Single functions are measured by go test -bench, for benchstat:
		  go test -run '^$' -bench . -count 10 ./providers/... ./adapters/bolt ./core/...
	END
}

areas=() flags=() page=(-page docs/performance.md)
for argument in "$@"; do
	case $argument in
	-h | --help)
		usage
		exit
		;;
	--quick) flags+=(-quick) page=() ;;
	*) areas+=("$argument") ;;
	esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/needs.sh
. tools/needs.sh
needs git node npm go redis-server nginx webhook

# Caddy comes from the module proxy; it is built once, in some minutes.
caddy_version=2.11.9
caddy=$(cache)/caddy-$caddy_version-$(go env GOVERSION)/caddy
if [[ ! -x $caddy ]]; then
	say "Building Caddy $caddy_version"
	GOFLAGS='' GOWORK=off GOBIN=$(dirname "$caddy") go install "github.com/caddyserver/caddy/v2/cmd/caddy@v$caddy_version"
fi

say "Building webhooks"
built=$(mktemp -d)
trap 'rm -rf "$built"' EXIT
CGO_ENABLED=0 go build -buildvcs=false -trimpath -tags nomsgpack -o "$built/" ./tools/webhooks ./tools/bench

ulimit -n "$(ulimit -Hn)"
BENCH_CADDY=$caddy "$built/bench" -program "$built/webhooks" "${flags[@]}" "${page[@]}" "${areas[@]}"
