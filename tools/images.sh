#!/usr/bin/env bash
# Makes the container image that tests run, once. See --help.
set -euo pipefail

case ${1-} in
-h | --help)
	cat <<-'END'
		Usage: ./tools/images.sh

		Prints the folder of a store with a container image: Debian with systemd, git, rpm,
		Node.js and npm. It has the names of the images that tools/package/Containerfile
		builds on, as tests build it on machines that reach no registry of images. It is
		made of Debian's packages and of those of npm, once, which takes minutes, and kept
		with the programs that only tests use. It has to be made by root.

		Example:
		  podman run --storage-opt "additionalimagestore=$(./tools/images.sh)" …
	END
	exit
	;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/needs.sh
. tools/needs.sh
needs debootstrap podman runc unshare npm flock 1>&2

# systemd 254 or later, for the control groups of apps.
suite=trixie
node=24.22.3
case $(uname -m) in
x86_64) node_arch=x64 ;;
aarch64) node_arch=arm64 ;;
*) fail "there is no Node.js for $(uname -m) in npm's registry" ;;
esac

# make makes the image in the store $1. It runs in a mount namespace of its own, so
# no mount remains.
make() {
	local mirror root work name
	work=$1/work root=$1/work/root
	mkdir -p "$work/tmp"
	mount -t tmpfs tmpfs "$work" # a file system that supports overlay mounts
	mkdir "$root" "$work/run" "$work/tmp"
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1)
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,git,ca-certificates,rpm \
		"$suite" "$root" "${mirror:-http://deb.debian.org/debian}"
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,locale}
	npm install --global --silent --no-audit --no-fund --prefix "$root/usr/local" "node-linux-$node_arch@$node" npm@11
	export CONTAINERS_STORAGE_CONF=$work/storage.conf
	printf '[storage]\ndriver = "overlay"\nrunroot = "%s"\ngraphroot = "%s"\n' "$work/run" "$work/store" >"$CONTAINERS_STORAGE_CONF"
	tar -C "$root" -c . | TMPDIR=$work/tmp podman import --change 'ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
		--change 'ENV GOTOOLCHAIN=local' --change 'ENV GOPATH=/go' - localhost/systemd
	for name in "${names[@]}"; do
		podman tag localhost/systemd "docker.io/library/$name"
	done
	cp -a "$work/store" "$1/"
}

mapfile -t names < <(sed -n 's/^FROM \([^ ]*\).*/\1/p' tools/package/Containerfile)
sum=$(cat tools/images.sh <(printf '%s\n' "${names[@]}") | sha256sum | cut -c 1-8)
path=$(cache)/images-$sum
# Packages that are tested at the same time wait for one build.
exec 9>"$(cache)/images.lock"
flock 9
if [[ ! -d $path ]]; then
	say "Making a container image of Debian $suite with Node.js $node" 1>&2
	(($(id -u) == 0)) || fail "run this as root, then try again"
	rm -rf "$path.new"
	mkdir "$path.new"
	export -f make
	suite=$suite node=$node node_arch=$node_arch names=${names[*]} unshare --mount bash -euo pipefail -c 'read -ra names <<<"$names"; make "$1"' bash "$path.new" 1>&2
	rm -r "$path.new/work"
	mv "$path.new" "$path"
fi
printf '%s\n' "$path/store"
