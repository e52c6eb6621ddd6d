package group

import "strconv"

// Limits are limits for a command and its descendants: of setrlimit(2) for [Limits.Wrap],
// and of all of them together for [Cgroups.Start]; 0 means the server's limit.
type Limits struct {
	Files     int     // open files of a process
	CPUs      float64 // processors, if there are control groups
	Memory    int64   // bytes of data of a process (RLIMIT_DATA), or of memory of all
	Processes int     // processes and threads of the whole user, not for the server's own user; or of all
	Private   bool    // created files are accessible to its user only (umask 077)
}

// limited sets the limits and executes the command. Lower limits of the server are
// not changed. The limit on processes is -p in dash and -u elsewhere.
const limited = `ulimit -c 0
[ "$1" -eq 0 ] || ulimit -n "$1" 2>/dev/null
[ "$2" -eq 0 ] || ulimit -d "$2" 2>/dev/null
[ "$3" -eq 0 ] || ulimit -p "$3" 2>/dev/null || ulimit -u "$3" 2>/dev/null
[ "$4" = false ] || umask 077
shift 4
exec "$@"`

// Wrap returns the arguments that run args within the limits. It is a shell
// that sets them, as a server without CAP_SYS_RESOURCE, such as one in a
// container, may not set them for another user.
func (l Limits) Wrap(args ...string) []string {
	return append([]string{
		"/bin/sh", "-c", limited, "limited",
		strconv.Itoa(l.Files), strconv.FormatInt(l.Memory/1024, 10), strconv.Itoa(l.Processes), strconv.FormatBool(l.Private),
	}, args...)
}
