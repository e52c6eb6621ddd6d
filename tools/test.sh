#!/usr/bin/env bash
# Runs every test of every module, and the linters. On a fresh machine it first
# installs what is missing. See --help.
set -euo pipefail

usage() {
	cat <<-'END'
		Usage: ./tools/test.sh [MODULE…]

		Checks all modules, or those named: formatting, go vet, golangci-lint, the tests
		with the race detector, that each module builds and is tidy on its own, the inner
		ones' tests too, that the tests leave nothing behind, and that the code reaches no
		known vulnerability, if https://vuln.go.dev can be reached.
		Installs what is missing: with apt on Debian; elsewhere it says what to install.

		With CI set in the environment no test result is taken from the cache.

		Examples:
		  ./tools/test.sh
		  ./tools/test.sh core providers
	END
}

# These are built here, for there are no packages of them; two minutes, once.
lint_version=2.15.0
vuln_version=1.9.0

case ${1-} in
-h | --help)
	usage
	exit
	;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/needs.sh
. tools/needs.sh

mapfile -t all < <(sed -n 's|^[[:space:]]*\./||p' go.work)
modules=("${all[@]}")
if (($# > 0)); then
	modules=("${@%/}")
	for module in "${modules[@]}"; do
		[[ " ${all[*]} " == *" $module "* ]] || fail "there is no module $module; there are: ${all[*]}"
	done
fi
packages=("${modules[@]/#/./}")
packages=("${packages[@]/%//...}")

# The race detector needs a C compiler; tests start Redis servers of their own.
needs git node npm go cc redis-server redis-cli

# The program is built without MessagePack; doing the same here compiles Gin once
# and not twice. Nothing looks at the commit that Go would stamp, and git refuses
# to tell it in a clone that belongs to somebody else.
export GOFLAGS="${GOFLAGS-} -buildvcs=false -tags=nomsgpack"

lint=$(cache)/golangci-lint-$lint_version-$(go env GOVERSION)/golangci-lint
if [[ ! -x $lint ]]; then
	say "Building golangci-lint $lint_version"
	GOFLAGS='' GOWORK=off GOBIN=$(dirname "$lint") go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$lint_version"
fi

vuln=$(cache)/govulncheck-$vuln_version-$(go env GOVERSION)/govulncheck
if [[ ! -x $vuln ]]; then
	say "Building govulncheck $vuln_version"
	GOFLAGS='' GOWORK=off GOBIN=$(dirname "$vuln") go install "golang.org/x/vuln/cmd/govulncheck@v$vuln_version"
fi

say "gofmt"
badly=$(gofmt -l "${modules[@]}")
[[ -z $badly ]] || fail "gofmt would change: $badly"

say "go vet"
go vet "${packages[@]}"

say "golangci-lint"
"$lint" run "${packages[@]}"

# The program runs on other systems than Linux too; only its embedded platform
# does not.
for system in linux/arm64 darwin/arm64 windows/amd64; do
	say "go vet for $system"
	GOOS=${system%/*} GOARCH=${system#*/} CGO_ENABLED=0 go vet ./tools/webhooks/... ./httpapi/client
	GOOS=${system%/*} GOARCH=${system#*/} CGO_ENABLED=0 go build -o "$(cache)/cross" ./tools/webhooks
done

# Everything that the tests make lies in one folder, so that what they leave
# behind can be found. Apps that run as users of their own pass through it.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/webhooks-test.XXXXXX")
export TMPDIR
chmod 711 "$TMPDIR"
bridges() { compgen -G '/sys/class/net/*/bridge' || true; }
bridges_before=$(bridges)

# left_processes prints the processes that work in that folder, or have it in
# their environment or arguments.
left_processes() {
	local dir
	for dir in /proc/[0-9]*; do
		if [[ $(readlink "$dir/cwd" 2>/dev/null) == "$TMPDIR"* ]] || grep -qaF "$TMPDIR" "$dir/environ" "$dir/cmdline" 2>/dev/null; then
			printf 'process %s: %s\n' "${dir#/proc/}" "$(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null)"
		fi
	done
}

# left prints all that the tests have left.
left() {
	left_processes
	grep -F "$TMPDIR" /proc/self/mounts 2>/dev/null | sed 's/^/mount /' || true
	find "$TMPDIR" -mindepth 1 -maxdepth 1 | sed 's/^/file /'
	comm -13 <(printf '%s\n' "$bridges_before") <(bridges) | sed '/^$/d; s/^/bridge /'
}

# clean removes it. Only a run that was broken off leaves something to remove.
clean() {
	local process
	left_processes | while IFS=' :' read -r _ process _; do
		kill -9 "$process" 2>/dev/null || true
	done
	rm -rf "$TMPDIR"
}
trap clean EXIT

# Only a test that hangs takes so long.
limit=60m

# A result is taken from the cache while a module's own files are the same. Of
# tests and tools, which look at all modules, that says nothing.
inner=() outer=()
for module in "${modules[@]}"; do
	case $module in
	tests | tools) outer+=("./$module/...") ;;
	*) inner+=("./$module/...") ;;
	esac
done
if ((${#inner[@]} > 0)); then
	say "go test -race"
	go test -race -timeout "$limit" ${CI:+-count=1} "${inner[@]}"
fi
if ((${#outer[@]} > 0)); then
	# The packages that drive the program share one.
	say "Building the program for the tests"
	export WEBHOOKS_TEST_PROGRAM=$TMPDIR/program/webhooks
	CGO_ENABLED=1 go build -race -o "$WEBHOOKS_TEST_PROGRAM" ./tools/webhooks
	say "go test -race, across modules"
	go test -race -timeout "$limit" -count=1 "${outer[@]}"
	rm -r "$TMPDIR/program"
fi

# The workspace hides a missing requirement, and picks the newest version that
# any module requires. Importers have no workspace. The modules that are made
# for them, whose tests take seconds, are tested alone too.
for module in "${modules[@]}"; do
	say "$module alone"
	./tools/alone.sh "$module" build ./...
	./tools/alone.sh "$module" vet ./...
	./tools/alone.sh "$module" mod tidy -diff
	case $module in
	core | providers | httpapi) ./tools/alone.sh "$module" test -timeout "$limit" ${CI:+-count=1} ./... ;;
	esac
done

say "leftovers"
found=$(left)
[[ -z $found ]] || fail "the tests left something behind:
$found"

# vulnerable looks for known vulnerabilities that a module's code reaches. The
# exit code tells one (3) from a database that can't be reached.
vulnerable() {
	local code=0 report
	report=$(cd "$1" && "$vuln" ./... 2>&1) || code=$?
	case $code in
	0) printf '%s: none known\n' "$1" ;;
	3) fail "$report" ;;
	*)
		printf 'NOT CHECKED: the database of known vulnerabilities (https://vuln.go.dev) can not be reached\n%s\n' "${report: -300}"
		return 1
		;;
	esac
}
say "govulncheck"
for module in "${modules[@]}"; do
	vulnerable "$module" || break
done

if (($# == 0)); then
	say "release check"
	go run ./tools/release check
fi

printf '\nall checks passed\n'
