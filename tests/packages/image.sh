#!/bin/sh
# Builds the container image of the source code in the folder $4 with the Go in $5,
# whose caches are $6 and $7, and runs it: as the documentation says, again with the
# same volume, and without the capability that it needs. The other arguments are
# those of podman.sh.
set -eu
. ./podman.sh

failed() { podman logs --tail 200 server || true; }
alive() { test "$(podman inspect --format '{{.State.Running}}' "$1")" = true; }
start() { run --detach --name server --init --cap-add SYS_PTRACE --health-interval disable --env WEBHOOKS_MIN_READY_TIME=100ms --volume data:/var/lib/webhooks webhooks >/dev/null; }
healthy() {
	until podman healthcheck run server >/dev/null 2>&1; do
		alive server || return 1
		sleep 0.2
	done
}
exited() { test "$(podman inspect --format '{{.State.ExitCode}}' server)" = "$1"; }

check "the image is built" podman build --quiet --format docker --isolation chroot --pull=never --build-arg VERSION=v1.2.3 \
	--volume "$5:/usr/local/go:ro" --volume "$6:/go/pkg/mod" --volume "$7:/root/.cache/go-build" \
	--file "$4/tools/package/Containerfile" --tag webhooks "$4"

refused() {
	run --name server --init webhooks >"$work/refused" 2>&1 && return 1
	grep -q 'cap-add SYS_PTRACE' "$work/refused" || { cat "$work/refused" >&2; return 1; }
}
check "without the capability it refuses to start, and names it" refused
podman rm --volumes server >/dev/null

check "it starts" start
check "it becomes healthy" healthy
check "it is the version that was built" sh -c "podman exec server webhooks version | grep -q v1.2.3"
echo "correct horse" | podman exec --interactive server webhooks users add dscape --new-password-file - >/dev/null
check "an app is deployed" deploy server first
check "it answers, as another user than root" serves server 'first [1-9]'
check "it stops" podman stop --time 600 server
check "without an error" exited 0

podman rm server >/dev/null
check "another container starts" start
check "the app is there" serves server 'first [1-9]'
check "it is deployed again" deploy server second
check "the new version answers" serves server 'second [1-9]'
check "the container restarts" podman restart --time 600 server
check "the new version is there" serves server 'second [1-9]'
podman rm --force --time 600 --volumes server >/dev/null
echo "ok: all"
