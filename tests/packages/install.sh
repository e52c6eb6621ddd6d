#!/bin/sh
# Installs the package $1 on the root file system below a temporary layer, runs the
# service as its unit $3 says, upgrades to the package $2, and removes it. The layer
# is mounted at the folder $4. It runs in mount, network and process namespaces of
# its own, so nothing of it remains.
set -eu
first=$1 second=$2 unit=$3 work=$4

ip link set lo up
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
mount --bind /dev "$work/root/dev"
mount -t proc proc "$work/root/proc"
root=$work/root
cp "$first" "$root/first.deb"
cp "$second" "$root/second.deb"
rm -rf "$root/var/lib/webhooks" "$root/etc/webhooks"

check() { # WHAT COMMAND…
	what=$1
	shift
	"$@" || { echo "FAILED: $what" >&2; exit 1; }
	echo "ok: $what"
}

# value prints a setting of the unit.
value() { sed -n "s/^$1=//p" "$unit"; }

# start runs the service with what the unit sets: its capabilities, no new
# privileges, a file system that is read-only but for its state and /tmp. Each time
# it has mounts of its own, as apps that were left running have the former ones.
starts=0
start() {
	starts=$((starts + 1))
	service=$work/service$starts
	mkdir "$service"
	mkdir -p "$root/var/lib/webhooks"
	chmod "$(value StateDirectoryMode)" "$root/var/lib/webhooks"
	mount --bind "$root" "$service"
	mount -o remount,bind,ro "$service"
	mount --bind /dev "$service/dev"
	mount -t proc proc "$service/proc"
	mount --bind "$root/var/lib/webhooks" "$service/var/lib/webhooks"
	mount -t tmpfs -o mode=1777 tmpfs "$service/tmp"
	capabilities=$(value CapabilityBoundingSet | tr 'A-Z' 'a-z' | sed 's/cap_/+/g; s/ /,/g')
	# shellcheck disable=SC2046
	chroot "$service" setpriv --no-new-privs --bounding-set="-all,$capabilities" --inh-caps=-all \
		sh -c "umask 0022; exec $(value ExecStart)" >"$work/out" 2>"$work/log" &
	server=$!
	until grep -q '^webhooks http' "$work/out"; do
		kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
		sleep 0.1
	done
}

stop() {
	kill "$server"
	wait "$server" || { cat "$work/log" >&2; exit 1; }
}

# page prints what the app answers.
page() {
	node -e 'require("http").get({host: "127.0.0.1", port: 8080, path: "/", headers: {host: "hello.localhost:8080"}}, r => r.pipe(process.stdout))'
}
# served reports whether the app answers with a text, once it does.
served() {
	until page | grep -q "$1"; do
		kill -0 "$server" || return 1
		sleep 0.2
	done
}
webhooks() { chroot "$root" /usr/bin/webhooks "$@"; }
deploy() { # TEXT
	mkdir -p "$root/srv/hello"
	echo '{"name": "hello", "scripts": {"start": "node index.js"}}' >"$root/srv/hello/package.json"
	echo "require('http').createServer((q, s) => s.end('$1 ' + process.getuid() + ' pid ' + process.pid)).listen(process.env.PORT)" >"$root/srv/hello/index.js"
	WEBHOOKS_PASSWORD="correct horse" webhooks deploy /srv/hello --user dscape
}

check "the package installs" chroot "$root" dpkg --force-depends -i /first.deb
check "the first version runs" sh -c "chroot $root /usr/bin/webhooks version | grep -q v1.0.0"
check "the manual is there" test -s "$root/usr/share/man/man1/webhooks.1.gz"
check "the completion is there" test -s "$root/usr/share/bash-completion/completions/webhooks"
check "the settings are valid" webhooks config check --config /etc/webhooks/webhooks.yml
echo '# mine' >>"$root/etc/webhooks/webhooks.yml"

start
echo "correct horse" | check "a user is added" webhooks users add dscape --new-password-file - --data /var/lib/webhooks
check "an app is deployed" deploy first
check "it answers, as another user than root" served 'first [1-9]'
pid=$(page | sed 's/.* //')
stop
check "the app goes on without the server" test -d "/proc/$pid"

check "the upgrade installs" chroot "$root" dpkg --force-depends --force-confold -i /second.deb
check "the second version runs" sh -c "chroot $root /usr/bin/webhooks version | grep -q v2.0.0"
check "the settings were kept" grep -q '# mine' "$root/etc/webhooks/webhooks.yml"
start
check "the app answers again" served 'first [1-9]'
check "it was not restarted" test "$(page | sed 's/.* //')" = "$pid"
check "it is deployed again" deploy second
check "the new version answers" served 'second [1-9]'
pid=$(page | sed 's/.* //')
stop

check "the package is removed" chroot "$root" dpkg -r webhooks
check "the apps have ended with it" test ! -d "/proc/$pid"
check "the program is gone" test ! -e "$root/usr/bin/webhooks"
check "the data stays" test -s "$root/var/lib/webhooks/platform/platform.db"
check "the package is purged" chroot "$root" dpkg -P webhooks
check "the settings are gone" test ! -e "$root/etc/webhooks/webhooks.yml"
