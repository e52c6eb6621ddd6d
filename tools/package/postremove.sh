#!/bin/sh
# After a removal. The data in /var/lib/webhooks stays: it has the users, the apps
# and their snapshots.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
