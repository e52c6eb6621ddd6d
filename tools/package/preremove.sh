#!/bin/sh
# Before a removal, not before an upgrade: $1 is "remove" for deb, 0 for rpm.
set -e
if [ "$1" = remove ] || [ "$1" = 0 ]; then
	if [ -d /run/systemd/system ]; then
		systemctl disable --now webhooks.socket webhooks.service
	fi
	webhooks admin end-apps --data /var/lib/webhooks
fi
