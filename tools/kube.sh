#!/usr/bin/env bash
# Builds the programs of Kubernetes that tests run, once. See --help.
set -euo pipefail

case ${1-} in
-h | --help)
	cat <<-'END'
		Usage: ./tools/kube.sh

		Prints the path of a program that is kube-apiserver, kube-controller-manager,
		kube-scheduler, kubelet and kubectl, chosen by its first argument. It is built once,
		which takes minutes, and kept with the other programs that only tests use.

		Example:
		  "$(./tools/kube.sh)" kubectl version --client
	END
	exit
	;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/needs.sh
. tools/needs.sh
needs go 1>&2

source=tests/cluster/testdata/kube
version=$(sed -n 's|^\tk8s.io/kubernetes v||p' "$source/go.mod")
sum=$(cat "$source"/{main.go,go.mod} | sha256sum | cut -c 1-8)
path=$(cache)/kube-$version-$sum-$(go env GOVERSION)/kube
# Packages that are tested at the same time wait for one build.
exec 9>"$(cache)/kube.lock"
flock 9
if [[ ! -x $path ]]; then
	say "Building Kubernetes $version" 1>&2
	mkdir -p "$(dirname "$path")"
	component=k8s.io/component-base/version
	(cd "$source" && CGO_ENABLED=0 GOFLAGS='' GOWORK=off go build -trimpath -o "$path.new" \
		-ldflags "-s -w -X $component.gitVersion=v$version -X $component.gitMajor=${version%%.*} -X $component.gitMinor=$(cut -d. -f2 <<<"$version")" .) 1>&2
	mv "$path.new" "$path"
fi
printf '%s\n' "$path"
