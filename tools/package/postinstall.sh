#!/bin/sh
# After an installation or upgrade: $1 is "configure" for deb, the number of
# installed versions for rpm.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# An upgrade restarts the service; a first installation leaves it to the operator.
	systemctl try-restart webhooks.service
fi
if [ "$1" = 1 ] || { [ "$1" = configure ] && [ -z "$2" ]; }; then
	cat <<-'END'
		webhooks is installed. Set the domain in /etc/webhooks/webhooks.yml, then:
		  webhooks doctor --config /etc/webhooks/webhooks.yml
		  systemctl enable --now webhooks
		  webhooks users add NAME --data /var/lib/webhooks
	END
fi
