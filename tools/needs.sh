# shellcheck shell=bash
# Installs what the scripts of this folder need and a machine lacks. To be
# sourced from the root of the repository:
#
#   . tools/needs.sh
#   needs git node npm go cc
#
# On Debian and its like missing programs come from apt, as root or with sudo;
# elsewhere, or without the right, it says what to install and ends.

# say prints a header, so that a long log can be found one's way in.
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

# fail ends the script with a sentence.
fail() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

needs() {
	local program missing=() packages=()
	for program in "$@"; do
		# A Go that was unpacked as golang.org says is often not in a script's PATH.
		if [[ $program == go && -x /usr/local/go/bin/go ]] && ! command -v go >/dev/null; then
			PATH=$PATH:/usr/local/go/bin
		fi
		command -v "$program" >/dev/null && continue
		missing+=("$program")
		case $program in
		go) packages+=(golang-go ca-certificates) ;;
		node) packages+=(nodejs) ;;
		cc) packages+=(gcc libc6-dev) ;;
		redis-cli) packages+=(redis-tools) ;;
		*) packages+=("$program") ;;
		esac
	done
	if ((${#missing[@]} > 0)); then
		say "Installing ${missing[*]}"
		apt_install "${packages[@]}"
	fi
	if [[ " $* " == *" go "* ]]; then
		needs_toolchain
	fi
}

apt_install() {
	local root=()
	command -v apt-get >/dev/null || fail "this machine has no apt; install what these Debian packages have, then try again: $*"
	if (($(id -u) != 0)); then
		command -v sudo >/dev/null || fail "as root, run: apt-get install $*"
		root=(sudo)
	fi
	"${root[@]}" apt-get update -qq
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# needs_toolchain sees to it that go is the version of go.work, or newer. From
# 1.21 on go fetches that itself; an older one, as Debian 12 has, fetches it here
# as the module it is published as.
needs_toolchain() {
	local want have module dir
	want=$(sed -n 's/^go //p' go.work)
	have=$(cd / && go env GOVERSION)
	have=${have#go}
	if [[ $(printf '%s\n' 1.21 "$have" | sort -V | head -n 1) == 1.21 ]]; then
		go version >/dev/null || fail "Go $have cannot become Go $want (GOTOOLCHAIN is $(go env GOTOOLCHAIN)): install Go $want"
		return
	fi
	dir=$(cache)/go-$want
	if [[ ! -x $dir/bin/go ]]; then
		say "Fetching Go $want, for Go $have is too old"
		module=golang.org/toolchain@v0.0.1-go$want.$(cd / && go env GOOS)-$(cd / && go env GOARCH)
		(cd / && GO111MODULE=on GOFLAGS='' go mod download "$module")
		rm -rf "$dir.new"
		cp -R "$(cd / && go env GOMODCACHE)/$module" "$dir.new"
		# A module can hold neither programs nor other modules.
		chmod -R u+w "$dir.new"
		find "$dir.new/bin" "$dir.new/pkg/tool" -type f -exec chmod +x {} +
		find "$dir.new" -name _go.mod -execdir mv {} go.mod \;
		mv "$dir.new" "$dir"
	fi
	unset GOROOT # of the old one
	PATH=$dir/bin:$PATH
}

# cache is where programs are kept that only these scripts use; every clone of
# the repository finds them there.
cache() {
	local dir=${XDG_CACHE_HOME:-${HOME:?is not set, so there is no place for a cache}/.cache}/webhooks
	mkdir -p "$dir"
	printf '%s' "$dir"
}
