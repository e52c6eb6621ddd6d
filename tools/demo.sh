#!/usr/bin/env bash
# Shows webhooks at work on this machine: builds the program and runs its demo.
# On a fresh machine it first installs what is missing. See --help.
set -euo pipefail

case ${1-} in
-h | --help)
	cat <<-'END'
		Usage: ./tools/demo.sh [--once]

		Starts the server, pushes to two example repositories, lets Travis CI report on
		one of them, and shows the change feed as it happens. In the end both apps answer,
		and go on serving until Ctrl-C. Installs what is missing: with apt on Debian;
		elsewhere it says what to install.

		  --once  end by itself, with exit code 0 only if all of it worked

		Examples:
		  ./tools/demo.sh
		  ./tools/demo.sh --once
	END
	exit
	;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/needs.sh
. tools/needs.sh
needs git node npm go

say "Building webhooks"
program=$(cache)/webhooks-demo
CGO_ENABLED=0 go build -buildvcs=false -trimpath -tags nomsgpack -o "$program" ./tools/webhooks
exec "$program" demo "$@"
