package processes

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// Intervals and timeouts of the checks of a starting drone.
const (
	earlyCheck = 5 * time.Millisecond // in the first second, when most apps become ready
	lateCheck  = 100 * time.Millisecond
	dialLimit  = time.Second
)

// awaitReady returns nil once the drone accepts connections and its health
// path, if it has one, responds with 2xx or 3xx. A [core.Error] without a Reason
// means that the drone exited.
func (a *application) awaitReady(ctx context.Context, d *drone, health string) error {
	limit, cancel := context.WithTimeout(ctx, a.runner.o.ReadyTimeout)
	defer cancel()
	foreign := false
	result := "" // of the health path
	for begin := time.Now(); ; {
		if d.addr == "" {
			if addr := reach(limit, d.port); addr != "" {
				ours, err := d.listens()
				if err != nil {
					return err
				}
				if foreign = !ours; ours {
					d.addr = addr
				}
			}
		}
		if d.addr != "" {
			well, answer := healthy(limit, d.addr, health)
			if well {
				return nil
			}
			if result == "" && answer == noAnswer {
				if err := startup.CheckPlain(limit, d.addr, d.slot.title()); err != nil {
					return err
				}
			}
			if limit.Err() == nil || result == "" { // the result of an interrupted request is less useful
				result = answer
			}
		}
		interval := earlyCheck
		if time.Since(begin) > time.Second {
			interval = lateCheck
		}
		pause := time.NewTimer(interval)
		select {
		case <-pause.C:
			continue
		case <-d.group.Exited():
		case <-limit.Done():
		}
		pause.Stop()
		return a.notReady(ctx, d, foreign, health, result)
	}
}

// notReady returns why the drone did not become ready.
func (a *application) notReady(ctx context.Context, d *drone, foreign bool, health, result string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("processes: waiting for the drone: %w", ctx.Err())
	}
	ready := a.runner.o.ReadyTimeout
	select {
	case <-d.group.Exited():
		// If the port is in use now, and not by a process that the drone left
		// behind, another process has bound it first.
		if ours, err := d.listens(); err == nil && !ours && !free(ctx, d.port) {
			return errPortLost
		}
		return &core.Error{Code: core.CodePlatformStartFailed}
	default:
	}
	switch {
	case foreign:
		return errPortLost
	case d.addr == "":
		if where := d.elsewhere(); where != "" {
			return core.Errorf(core.CodePlatformStartFailed,
				"%s %s; listen on process.env.PORT: the platform sends requests only there", d.slot.title(), where)
		}
		return core.Errorf(core.CodePlatformStartFailed,
			"%s did not accept connections on PORT within %v; listen on process.env.PORT, and do slow work after that; what serves no requests is a worker in a Procfile", d.slot.title(), ready)
	default:
		if err := startup.CheckPlain(ctx, d.addr, d.slot.title()); err != nil {
			return err
		}
		return core.Errorf(core.CodePlatformStartFailed,
			"%s was not ready within %v: GET %s, its health path, %s; it must answer 2xx or 3xx", d.slot.title(), ready, health, result)
	}
}

// missing describes the condition that the drone did not meet.
func (d *drone) missing(health string) string {
	if d.addr == "" || health == "" {
		return "it accepted connections on PORT"
	}
	return "its health path " + health + " answered 2xx or 3xx"
}

// listens reports whether a process of the drone listens on its port.
func (d *drone) listens() (bool, error) {
	pids, err := d.group.Members()
	if err != nil {
		return false, fmt.Errorf("processes: listing the drone's processes: %w", err)
	}
	return owns(pids, d.port), nil
}

// reach returns the loopback address that accepts connections on port, or "". An app that listens on "localhost" may have only the IPv6 one.
func reach(ctx context.Context, port int) string {
	dialer := net.Dialer{Timeout: dialLimit}
	for _, host := range []string{"127.0.0.1", "::1"} {
		addr := net.JoinHostPort(host, strconv.Itoa(port))
		if conn, err := dialer.DialContext(ctx, "tcp", addr); err == nil {
			_ = conn.Close() // only to test the connection
			return addr
		}
	}
	return ""
}

// noAnswer describes a health path without an answer.
const noAnswer = "did not answer"

// healthy reports whether path is empty or responds with 2xx or 3xx; otherwise
// answer describes the failure.
func healthy(ctx context.Context, addr, path string) (well bool, answer string) {
	if path == "" {
		return true, ""
	}
	status, err := startup.Get(ctx, addr, path)
	if err != nil {
		return false, noAnswer
	}
	return status/100 == 2 || status/100 == 3, fmt.Sprintf("answered %d", status)
}
