#!/usr/bin/env bash
# Shows webhooks at work on this machine: builds the program and the demo, and
# runs it.
# On a fresh machine it first installs what is missing. See --help.
set -euo pipefail

case ${1-} in
-h | --help)
	cat <<-'END'
		Usage: ./tools/demo.sh [--once]

		Starts the server, pushes to two example repositories, has Travis CI report on
		one of them, and shows the change feed live. In the end both apps answer,
		and run until Ctrl-C. Missing programs are installed by apt on Debian and its like;
		elsewhere you are asked to install them.

		  --once  end by itself, with exit code 0 only if everything worked

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

say "Building webhooks and the demo"
programs=$(cache)/demo
mkdir -p "$programs"
CGO_ENABLED=0 go build -buildvcs=false -trimpath -tags nomsgpack -o "$programs/" ./tools/webhooks ./tools/demo
exec "$programs/demo" --program "$programs/webhooks" "$@"
