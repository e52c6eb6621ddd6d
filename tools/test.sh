#!/usr/bin/env bash
# Runs every test of every module, and the linters. On a fresh machine it first
# installs what is missing. See --help.
set -euo pipefail

usage() {
	cat <<-'END'
		Usage: ./tools/test.sh [MODULE…]

		Checks all modules, or those named: formatting, go vet, golangci-lint, the tests
		with the race detector, that the tests leave nothing behind, that each module
		builds and is tidy alone, and, if https://vuln.go.dev can be reached, that the code
		calls no function with a known vulnerability. Without arguments it also checks that
		programs call every function, that the program builds for other systems, and that
		a release can be made.

		Missing programs are installed by apt on Debian and its like; elsewhere you are
		asked to install them. If CI is set in the environment, no cached test result is
		used. If WEBHOOKS_TEST_SKIP is "cluster", no cluster of Kubernetes is run.

		Examples:
		  ./tools/test.sh
		  ./tools/test.sh core providers
	END
}

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
		[[ " ${all[*]} " == *" $module "* ]] || fail "no module $module; the modules are: ${all[*]}"
	done
fi
packages=("${modules[@]/#/./}")
packages=("${packages[@]/%//...}")

# The race detector needs a C compiler; tests start Redis servers and a browser of
# their own.
needs git node npm go cc redis-server redis-cli chromium
# Tests take capabilities away, and run in namespaces of their own.
needs unshare setpriv ip

# Tests run a cluster of Kubernetes, unless it is left out (see tests/README.md).
if [[ ${WEBHOOKS_TEST_SKIP-} != cluster && " ${modules[*]} " == *" tests "* ]]; then
	needs etcd containerd runc /usr/lib/cni/bridge flock
	./tools/kube.sh >/dev/null
fi
# The packages are installed in containers.
if [[ " ${modules[*]} " == *" tests "* ]]; then
	needs podman runc catatonit
	./tools/images.sh >/dev/null
fi

# The program is built without MessagePack; with the same tag here, Gin is compiled
# once. Go would record the commit, which nothing needs here, and which git refuses
# to show in a clone of another user.
export GOFLAGS="${GOFLAGS-} -buildvcs=false -tags=nomsgpack"

# build_tool builds a Go program at a pinned version, once, and sets the variable
# that is named like it to its path.
build_tool() { # NAME VERSION PACKAGE
	local path
	path=$(cache)/$1-$2-$(go env GOVERSION)/$1
	if [[ ! -x $path ]]; then
		say "Building $1 $2"
		GOFLAGS='' GOWORK=off GOBIN=$(dirname "$path") go install "$3@v$2"
	fi
	printf -v "${1//-/_}" %s "$path"
}
build_tool golangci-lint 2.15.0 github.com/golangci/golangci-lint/v2/cmd/golangci-lint
build_tool govulncheck 1.9.0 golang.org/x/vuln/cmd/govulncheck
build_tool deadcode 0.51.0 golang.org/x/tools/cmd/deadcode

say "gofmt"
unformatted=$(gofmt -l "${modules[@]}")
[[ -z $unformatted ]] || fail "run gofmt -w on: $unformatted"

say "go vet"
go vet "${packages[@]}"

say "golangci-lint"
"$golangci_lint" run "${packages[@]}"

if (($# == 0)); then
	# The stand-ins for forges have functions for tests, the client of the API is for
	# other programs too, and tests compare core.Codes with the documentation.
	say "deadcode"
	unused=$("$deadcode" -tags nomsgpack -filter '^github.com/nodejitsu/webhooks/' ./tools/...)
	unused=$(grep -vE '^(tools/githubsim/sim|tools/forgesim|httpapi/client)/|^core/codes.go:.*: Codes$' <<<"$unused" || true)
	[[ -z $unused ]] || fail "no program calls these functions; remove them:
$unused"

	# Only the embedded platform needs Linux.
	for system in linux/arm64 darwin/arm64 windows/amd64; do
		say "build for $system"
		GOOS=${system%/*} GOARCH=${system#*/} CGO_ENABLED=0 go vet ./tools/webhooks/... ./httpapi/client
		GOOS=${system%/*} GOARCH=${system#*/} CGO_ENABLED=0 go build -o "$(cache)/cross" ./tools/webhooks
	done
fi

# The tests create all their files in one folder, so that what they leave behind
# can be found. Apps that run as other users must be able to pass through it.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/webhooks-test.XXXXXX")
export TMPDIR
chmod 711 "$TMPDIR"
bridges() { compgen -G '/sys/class/net/*/bridge' || true; }
bridges_before=$(bridges)
# Those of containers; on machines with control groups of version 1, version 2 is
# mounted below.
control_groups() { compgen -G '/sys/fs/cgroup/webhooks-test-*' || compgen -G '/sys/fs/cgroup/unified/webhooks-test-*' || true; }
groups_before=$(control_groups)

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

# left prints everything that the tests have left.
left() {
	left_processes
	grep -F "$TMPDIR" /proc/self/mounts 2>/dev/null | sed 's/^/mount /' || true
	find "$TMPDIR" -mindepth 1 -maxdepth 1 | sed 's/^/file /'
	comm -13 <(printf '%s\n' "$bridges_before") <(bridges) | sed '/^$/d; s/^/bridge /'
	comm -13 <(printf '%s\n' "$groups_before") <(control_groups) | sed '/^$/d; s/^/control group /'
}

# clean removes it. There is something to remove only after an interrupted run.
clean() {
	local process
	left_processes | while IFS=' :' read -r _ process _; do
		kill -9 "$process" 2>/dev/null || true
	done
	rm -rf "$TMPDIR"
}
trap clean EXIT

# Only a test that hangs reaches the limit. go vet has run.
test=(go test -race -vet=off -timeout 60m ${CI:+-count=1})

# Go uses a cached result while the files of a module are the same. That is wrong
# for tests and tools, whose tests depend on the files of all modules.
inner=() outer=()
for module in "${modules[@]}"; do
	case $module in
	tests | tools) outer+=("./$module/...") ;;
	*) inner+=("./$module/...") ;;
	esac
done
if ((${#inner[@]} > 0)); then
	say "go test -race"
	"${test[@]}" "${inner[@]}"
fi
if ((${#outer[@]} > 0)); then
	# Shared by the packages that run the program.
	say "Building the program for the tests"
	export WEBHOOKS_TEST_PROGRAM=$TMPDIR/program/webhooks
	CGO_ENABLED=1 go build -race -o "$WEBHOOKS_TEST_PROGRAM" ./tools/webhooks
	say "go test -race, across modules"
	"${test[@]}" -count=1 "${outer[@]}"
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
	core | providers | httpapi) ./tools/alone.sh "$module" test -vet=off -timeout 60m ${CI:+-count=1} ./... ;;
	esac
done

say "leftovers"
found=$(left)
[[ -z $found ]] || fail "the tests left something behind:
$found"

# check_vulnerabilities fails if a module calls a function with a known
# vulnerability, which is exit code 3 of govulncheck. It returns 1 if the database
# cannot be reached.
check_vulnerabilities() {
	local code=0 report
	report=$(cd "$1" && "$govulncheck" ./... 2>&1) || code=$?
	case $code in
	0) printf '%s: none known\n' "$1" ;;
	3) fail "$report" ;;
	*)
		printf 'NOT CHECKED: the database of known vulnerabilities (https://vuln.go.dev) cannot be reached\n%s\n' "${report: -300}"
		return 1
		;;
	esac
}
say "govulncheck"
for module in "${modules[@]}"; do
	check_vulnerabilities "$module" || break
done

if (($# == 0)); then
	say "release check"
	go run ./tools/release check
fi

printf '\nall checks passed\n'
