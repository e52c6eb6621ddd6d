#!/bin/sh
# Installs the package $5 of the kind $4, deb or rpm, on a Debian whose systemd runs in
# a container, deploys an app, restarts the service and upgrades it to the package $6
# while the app is requested, has systemd hold its ports, and removes it. The other
# arguments are those of podman.sh.
set -eu
. ./podman.sh
kind=$4
mkdir "$work/packages"
cp "$5" "$work/packages/first.$kind"
cp "$6" "$work/packages/second.$kind"
cp requests.js "$work/packages/"

case $kind in
deb)
	install() { debian host dpkg --install "$1"; }
	upgrade() { install "$1"; }
	remove() { debian host dpkg --remove webhooks; }
	# What is left of settings that were changed.
	settings=/etc/webhooks/webhooks.yml
	;;
rpm)
	# What the package needs is there, but not by rpm.
	install() { debian host rpm --install --nodeps "$1"; }
	upgrade() { debian host rpm --upgrade --nodeps "$1"; }
	remove() { debian host rpm --erase --nodeps webhooks; }
	settings=/etc/webhooks/webhooks.yml.rpmsave
	;;
esac

debian() { podman exec "$@"; }
failed() { debian host journalctl --no-pager --lines 200 --unit webhooks; }
# Not while systemd starts it again.
alive() { ! debian "$1" systemctl is-failed --quiet webhooks; }
property() { debian host systemctl show --value --property "$1" webhooks; }
started() {
	until test "$(property ActiveState)" = active; do
		alive host || return 1
		sleep 0.1
	done
}
mine() { debian host ls -R /etc/systemd /run/systemd/system /usr/lib/systemd/system | grep webhooks; }
# running prints the processes of the service and its apps.
running() { debian host sh -c 'grep -lE "^(webhooks|MainThread)" /proc/[0-9]*/comm'; }

# requested begins to request the app all the time, and answered ends that.
requested() {
	rm -f "$work/packages/requested" "$work/packages/enough"
	debian host node /packages/requests.js >"$work/requests" &
	requests=$!
	until test -e "$work/packages/requested"; do
		kill -0 "$requests"
		sleep 0.1
	done
}
answered() {
	touch "$work/packages/enough"
	wait "$requests" || { cat "$work/requests"; failed; exit 1; }
	check "no request was lost, and one process answered all" grep "^all of [1-9][0-9]* requests answered: [a-z]* [1-9][0-9]* pid $pid\$" "$work/requests"
}

run --detach --name host --privileged --systemd always --volume "$work/packages:/packages" localhost/systemd /sbin/init >/dev/null
# What of Debian can't run in a container is not waited for.
until debian host systemctl is-active --quiet multi-user.target 2>/dev/null; do sleep 0.1; done

check "the package installs" install "/packages/first.$kind"
check "the first version runs" sh -c "podman exec host webhooks version | grep -q v1.0.0"
check "the manual is there" debian host test -s /usr/share/man/man1/webhooks.1.gz
check "the completion is there" debian host test -s /usr/share/bash-completion/completions/webhooks
check "the settings are valid" debian host webhooks config check --config /etc/webhooks/webhooks.yml
verified() { test -z "$(debian host env SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no webhooks.service webhooks.socket 2>&1 | tee /dev/stderr)"; }
check "systemd understands the units" verified
check "nothing runs yet" test "$(property ActiveState)" = inactive
debian host sh -c 'echo "# mine" >>/etc/webhooks/webhooks.yml; echo WEBHOOKS_MIN_READY_TIME=100ms >/etc/webhooks/environment'

check "the service starts" debian host systemctl enable --now webhooks
echo "correct horse" | podman exec --interactive host webhooks users add dscape --new-password-file - --data /var/lib/webhooks
check "an app is deployed" deploy host first
check "it answers, as another user than root" serves host 'first [1-9]'
check "which is in its user database" test "$(page host /user)" = app
pid=$(page host | sed 's/.* //')

# Requests come in all the time.
requested
for _ in 1 2 3; do
	server=$(property MainPID)
	check "the service restarts" debian host systemctl restart webhooks
	check "with another process" test "$(property MainPID)" != "$server"
done
server=$(property MainPID)
check "the upgrade installs" upgrade "/packages/second.$kind"
check "the second version runs" sh -c "podman exec host webhooks version | grep -q v2.0.0"
check "the service was restarted by it" test "$(property MainPID)" != "$server"
check "the settings were kept" debian host grep -q '# mine' /etc/webhooks/webhooks.yml
answered

server=$(property MainPID)
check "the server is killed" debian host systemctl kill --kill-whom main --signal KILL webhooks
until test "$(property MainPID)" -ne 0 && test "$(property MainPID)" != "$server" && test "$(property ActiveState)" = active; do sleep 0.1; done
check "systemd starts it again, and the app went on meanwhile" serves host "first [1-9][0-9]* pid $pid\$"

check "it is deployed again" deploy host second
check "the new version answers" serves host 'second [1-9]'
check "the service stops" debian host systemctl stop webhooks
pid=$(debian host sh -c 'grep -l "^MainThread" /proc/[0-9]*/comm' | cut -d / -f 3)
check "its app runs on" test -n "$pid"

# From now on systemd holds the ports of the settings, also while the service is
# stopped: a request starts it, and waits for that.
debian host sh -c 'mkdir /etc/systemd/system/webhooks.socket.d
	printf "[Socket]\nListenStream=\nListenStream=8080\n" >/etc/systemd/system/webhooks.socket.d/ports.conf'
debian host systemctl daemon-reload
check "the socket starts" debian host systemctl enable --now webhooks.socket
check "the service does not run yet" test "$(property ActiveState)" = inactive
requested
check "a request starts the service" started
for _ in 1 2 3; do
	server=$(property MainPID)
	check "the service restarts" debian host systemctl restart webhooks
	check "with another process" test "$(property MainPID)" != "$server"
	check "the service stops" debian host systemctl stop webhooks
	check "a request starts it again" started
done
answered
debian host rm -r /etc/systemd/system/webhooks.socket.d
debian host systemctl daemon-reload

check "the package is removed" remove
check "no process is left" test -z "$(running)"
check "no unit is left" test -z "$(mine)"
check "no unit is active or failed" test -z "$(debian host systemctl list-units --all --plain --no-legend 'webhooks*')"
check "the program is gone" debian host test ! -e /usr/bin/webhooks
check "the data stays" debian host test -s /var/lib/webhooks/platform/platform.db
check "so do settings that were changed" debian host grep -q '# mine' "$settings"
if test "$kind" = deb; then
	check "the package is purged" debian host dpkg --purge webhooks
	check "the settings are gone" debian host test ! -e /etc/webhooks/webhooks.yml
fi
podman rm --force --time 0 host >/dev/null
echo "ok: all"
