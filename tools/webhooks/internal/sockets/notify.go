package sockets

// notifier sends messages to the service manager (sd_notify(3)).
type notifier struct{ path string } // "" if there is none

func newNotifier(path string) notifier { return notifier{path} }

// remove removes a socket that was stored.
func (n notifier) remove(name string) {
	if name != "" {
		n.send("FDSTOREREMOVE=1\nFDNAME=" + name)
	}
}
