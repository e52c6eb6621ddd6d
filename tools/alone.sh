#!/usr/bin/env bash
# Runs the go command in one module as if there were no workspace. See --help.
set -euo pipefail

case ${1-} in
'' | -h | --help)
	cat <<-'END'
		Usage: ./tools/alone.sh MODULE GO-ARGUMENTS…

		Runs the go command in a module without the workspace, which hides a missing
		requirement and picks the newest version that any module requires. The siblings
		are replaced by their folders in a copy of go.mod, because the version that the
		modules require of each other is not published yet. A change to that copy, as by
		"mod tidy" or "get", is written back.

		Examples:
		  ./tools/alone.sh adapters mod tidy
		  ./tools/alone.sh adapters get go.etcd.io/bbolt@latest
		  ./tools/alone.sh core test ./...
	END
	exit
	;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
module=${1%/}
shift
[[ -f $module/go.mod ]] || {
	printf 'alone.sh: no module %s; see --help\n' "$module" >&2
	exit 2
}

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp "$module/go.mod" "$copy"
[[ ! -f $module/go.sum ]] || cp "$module/go.sum" "$copy"

path=$(sed -n 's/^module //p' "$module/go.mod")
replace=() drop=()
for sibling in */go.mod; do
	sibling=${sibling%/go.mod}
	[[ $sibling != "$module" ]] || continue
	replace+=("-replace=${path%/*}/$sibling=../$sibling")
	drop+=("-dropreplace=${path%/*}/$sibling")
done
go mod edit "${replace[@]}" "$copy/go.mod"

code=0
(cd "$module" && GOWORK=off GOFLAGS="${GOFLAGS-} -modfile=$copy/go.mod" go "$@") || code=$?

go mod edit "${drop[@]}" "$copy/go.mod"
for file in go.mod go.sum; do
	[[ ! -f $copy/$file ]] || cmp -s "$copy/$file" "$module/$file" || cp "$copy/$file" "$module/$file"
done
exit "$code"
