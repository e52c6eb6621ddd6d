package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes/group"
)

// Protocol is the version of the protocol of a keeper of this program.
const Protocol = 1

// Spec is what a keeper runs. It reaches the keeper by a pipe, as the environment
// has secrets.
type Spec struct {
	Label json.RawMessage `json:"label"` // of the server, which [Status] returns
	Log   json.RawMessage `json:"log"`   // for the Opener of [Main]
	Mark  string          `json:"mark"`  // of the drone, see package group

	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	User *User    `json:"user,omitempty"` // nil: the server's

	Cgroups string        `json:"cgroups,omitempty"` // folder of the control groups; "" for none
	Limits  group.Limits  `json:"limits"`
	Orphan  time.Duration `json:"orphan,omitempty"` // for how long the drone goes on without a server; 0: for ever
	Grace   time.Duration `json:"grace"`            // for the drone to exit, if the keeper ends it by itself
}

// User is the user that a drone runs as.
type User struct {
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
	Badge uint32 `json:"badge"` // see [group.ReserveBadge]
}

// Status is an answer of a keeper.
type Status struct {
	Protocol int             `json:"protocol"`
	Error    string          `json:"error,omitempty"` // why it did not do what it was asked
	Keeper   int             `json:"keeper"`          // pid of the keeper
	Pid      int             `json:"pid"`             // of the drone's first process
	Label    json.RawMessage `json:"label,omitempty"`
	Badge    uint32          `json:"badge,omitempty"`
	Cgroups  string          `json:"cgroups,omitempty"`
	Addr     string          `json:"addr,omitempty"` // of a drone that is ready, as the server has said
	Ready    bool            `json:"ready,omitempty"`
	Exited   bool            `json:"exited,omitempty"` // the drone's first process has exited

	Members []int `json:"members,omitempty"` // of "members"

	// Of "end".
	Wait        uint32 `json:"wait,omitempty"` // the status of wait(2)
	OutOfMemory bool   `json:"out_of_memory,omitempty"`
	Tail        string `json:"tail,omitempty"` // the drone's last lines
}

// request is what a server asks a keeper for.
type request struct {
	Do    string        `json:"do"`
	Grace time.Duration `json:"grace,omitempty"` // of "end"
	Addr  string        `json:"addr,omitempty"`  // of "ready"
}

// What a server may ask for.
const (
	doStatus  = "status"
	doReady   = "ready"   // the drone is ready, at an address
	doMembers = "members" // the living processes of the drone
	doAttach  = "attach"  // the status now, and again when the drone has exited; until it is closed there is a server
	doEnd     = "end"     // end the drone within a grace time, and then the keeper
)

// Exit is how a drone exited, if not with code 0.
type Exit struct{ Status syscall.WaitStatus }

func (e *Exit) Error() string {
	if e.Status.Signaled() {
		return "signal: " + e.Status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", e.Status.ExitStatus())
}

// socket is the name of the socket in the folder of a keeper.
const socket = "socket"

// through returns the path of a file in an open folder. The address of a socket is
// at most 107 bytes, which the path of the folder may exceed.
func through(dir *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), name)
}

// lock acquires the lock of a folder, without waiting.
func lock(dir *os.File) error {
	for {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor fits
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
