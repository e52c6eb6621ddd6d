# shellcheck shell=bash
# Installs programs that the scripts of this folder need. Source it in the root of
# the repository:
#
#   . tools/needs.sh
#   needs git node npm go cc
#
# On Debian and its like it installs missing programs by apt, as root or by sudo;
# elsewhere it prints what to install, and ends.

# say prints a heading, for finding the parts of a long log.
say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

# fail prints a message and ends the script.
fail() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}

needs() {
	local program missing=() packages=()
	for program in "$@"; do
		# Go that was installed from go.dev is often not in the PATH of a script.
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
		ip) packages+=(iproute2) ;;
		etcd) packages+=(etcd-server) ;;
		/usr/lib/cni/*) packages+=(containernetworking-plugins) ;;
		flock | setpriv | unshare) packages+=(util-linux) ;;
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
	command -v apt-get >/dev/null || fail "install the programs of these Debian packages, then try again: $*"
	if (($(id -u) != 0)); then
		command -v sudo >/dev/null || fail "run this as root, then try again: apt-get install $*"
		root=(sudo)
	fi
	"${root[@]}" apt-get update -qq
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# needs_toolchain makes go be the version in go.work, or newer. From 1.21 on, go
# downloads it itself; for an older one, as in Debian 12, this downloads the module
# that it is published as.
needs_toolchain() {
	local want have module dir
	want=$(sed -n 's/^go //p' go.work)
	have=$(cd / && go env GOVERSION)
	have=${have#go}
	if [[ $(printf '%s\n' 1.21 "$have" | sort -V | head -n 1) == 1.21 ]]; then
		go version >/dev/null || fail "Go $have cannot download Go $want (GOTOOLCHAIN is $(go env GOTOOLCHAIN)): install Go $want"
		return
	fi
	dir=$(cache)/go-$want
	if [[ ! -x $dir/bin/go ]]; then
		say "Downloading Go $want, because Go $have is too old"
		module=golang.org/toolchain@v0.0.1-go$want.$(cd / && go env GOOS)-$(cd / && go env GOARCH)
		(cd / && GO111MODULE=on GOFLAGS='' go mod download "$module")
		rm -rf "$dir.new"
		cp -R "$(cd / && go env GOMODCACHE)/$module" "$dir.new"
		# A module cannot contain executables or other modules.
		chmod -R u+w "$dir.new"
		find "$dir.new/bin" "$dir.new/pkg/tool" -type f -exec chmod +x {} +
		find "$dir.new" -name _go.mod -execdir mv {} go.mod \;
		mv "$dir.new" "$dir"
	fi
	unset GOROOT # of the old one
	PATH=$dir/bin:$PATH
}

# cache prints the folder for programs that only these scripts use; all clones of
# the repository share it.
cache() {
	local dir=${XDG_CACHE_HOME:-${HOME:?HOME is not set, so there is no folder for the cache}/.cache}/webhooks
	mkdir -p "$dir"
	printf '%s' "$dir"
}
