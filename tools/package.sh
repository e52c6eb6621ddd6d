#!/usr/bin/env bash
# Builds the packages and archives of a release. See --help.
set -euo pipefail

usage() {
	cat <<-'END'
		Usage: ./tools/package.sh VERSION FOLDER [KIND…]

		Builds static programs of a version, such as 1.2.0, and puts them into a folder.
		KIND is deb, rpm or archive; default: all of them. Packages are for the Linux
		that GOARCH names, amd64 by default; archives are for Linux, macOS and Windows. An
		archive for macOS or Windows has every command but the embedded platform. The
		checksums of all files of the version are in webhooks_VERSION_checksums.txt, for
		sha256sum --check.

		Examples:
		  ./tools/package.sh 1.2.0 dist
		  GOARCH=arm64 ./tools/package.sh 1.2.0 dist deb
	END
}

case ${1-} in
-h | --help)
	usage
	exit
	;;
esac
if (($# < 2)); then
	usage >&2
	exit 2
fi
folder=$(mkdir -p "$2" && cd "$2" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/needs.sh
. tools/needs.sh

VERSION=$1
shift 2
kinds=("$@")
((${#kinds[@]} > 0)) || kinds=(deb rpm archive)
needs go

BUILD=$(mktemp -d "${TMPDIR:-/tmp}/webhooks-package.XXXXXX")
trap 'rm -rf "$BUILD"' EXIT
ARCH=${GOARCH:-$(go env GOARCH)}
export VERSION BUILD ARCH

build() { # OS ARCH FILE
	CGO_ENABLED=0 GOOS=$1 GOARCH=$2 go build -buildvcs=false -trimpath -tags nomsgpack \
		-ldflags "-s -w -X main.version=v$VERSION" -o "$3" ./tools/webhooks
}

# documentation writes the man pages and the completions.
documentation() {
	mkdir -p "$BUILD/man"
	go run -buildvcs=false -tags nomsgpack ./tools/webhooks/internal/manual "$BUILD"
	gzip -9n "$BUILD"/man/*
}

package() { # KIND
	local nfpm
	nfpm=$(cache)/nfpm-2.44.0-$(go env GOVERSION)/nfpm
	if [[ ! -x $nfpm ]]; then
		say "Building nfpm 2.44.0"
		# A newer one needs modules that the Go proxy does not have.
		GOFLAGS='' GOWORK=off GOOS='' GOARCH='' GOBIN=$(dirname "$nfpm") go install github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.0
	fi
	[[ -d $BUILD/man ]] || GOARCH='' documentation
	[[ -x $BUILD/webhooks ]] || build linux "$ARCH" "$BUILD/webhooks"
	"$nfpm" package --config tools/package/nfpm.yaml --packager "$1" --target "$folder/"
}

archives() {
	local system name program
	for system in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64; do
		name=webhooks_${VERSION}_${system/\//_}
		program=webhooks
		[[ $system != windows/* ]] || program=webhooks.exe
		mkdir "$BUILD/$name"
		build "${system%/*}" "${system#*/}" "$BUILD/$name/$program"
		cp LICENSE README.md "$BUILD/$name/"
		tar -C "$BUILD" --sort=name --owner=0 --group=0 --numeric-owner -czf "$folder/$name.tar.gz" "$name"
		say "$folder/$name.tar.gz"
	done
}

for kind in "${kinds[@]}"; do
	case $kind in
	deb | rpm) package "$kind" ;;
	archive) archives ;;
	*) fail "unknown kind $kind: want deb, rpm or archive" ;;
	esac
done

cd "$folder"
sums=webhooks_${VERSION}_checksums.txt
rm -f "$sums"
sha256sum "webhooks_${VERSION}_"* "webhooks-${VERSION}-"* 2>/dev/null >"$BUILD/sums" || true # there are not always both
mv "$BUILD/sums" "$sums"
