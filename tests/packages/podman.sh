# Sets Podman up in mount, network and process namespaces of the test's own, so that
# nothing of it remains. Source it with the folder to work in, the store with the
# image that containers run, and the control group for them.
work=$1 store=$2 group=$3

ip link set lo up
mount -t tmpfs tmpfs "$work"
# Podman's state, and the hierarchy of control groups of version 2, also on machines
# whose own is of version 1.
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "$work/tmp"
cat >"$work/storage.conf" <<END
[storage]
driver = "overlay"
runroot = "$work/run"
graphroot = "$work/store"
[storage.options]
additionalimagestores = ["$store"]
END
cat >"$work/containers.conf" <<END
[containers]
cgroupns = "private"
default_ulimits = []
log_driver = "k8s-file"
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
END
export CONTAINERS_CONF="$work/containers.conf" CONTAINERS_STORAGE_CONF="$work/storage.conf" TMPDIR="$work/tmp"

# run runs a container, which has no network.
run() { podman run --network none --cgroup-parent "$group" "$@"; }

# check runs a command, and ends the script if it fails. The script's own function
# failed prints what helps to find out why.
check() { # WHAT COMMAND…
	what=$1
	shift
	"$@" || { echo "FAILED: $what" >&2; failed >&2; exit 1; }
	echo "ok: $what"
}

# page prints what the app answers in a container.
page() { # CONTAINER [PATH]
	podman exec "$1" node -e 'require("http").get({host: "127.0.0.1", port: 8080, path: process.argv[1], headers: {host: "hello.localhost:8080"}}, r => r.pipe(process.stdout))' "${2-/}"
}

# serves reports whether the app in a container answers with a text, once it does.
# It does not if the server is no longer alive.
serves() { # CONTAINER TEXT
	until page "$1" | grep -q "$2"; do
		alive "$1" || return 1
		sleep 0.2
	done
}

# deploy deploys an app, which answers with a text, its user and its process.
deploy() { # CONTAINER TEXT
	mkdir -p "$work/hello"
	echo '{"name": "hello", "scripts": {"start": "node index.js"}}' >"$work/hello/package.json"
	echo "require('http').createServer((q, s) => s.end(q.url == '/user' ? require('os').userInfo().username : '$2 ' + process.getuid() + ' pid ' + process.pid)).listen(process.env.PORT)" >"$work/hello/index.js"
	podman exec "$1" rm -rf /srv/hello
	podman cp "$work/hello" "$1:/srv/hello"
	podman exec --env "WEBHOOKS_PASSWORD=correct horse" "$1" webhooks deploy /srv/hello --user dscape
}
