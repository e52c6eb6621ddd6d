package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
)

// pathLive is where the published client follows a log.
const pathLive = "/primus/"

const (
	lookEvery = time.Second      // at the log, for new lines
	pingEvery = 30 * time.Second // so that both sides see whether the other is there
)

// liveLogs sends the lines of an app as they are written, each a text of its
// own, by the protocol of Primus 1.4, which the published client speaks: texts
// of JSON, and a heartbeat of its own.
func (a *API) liveLogs(c *call) error {
	user, app, _ := strings.Cut(strings.TrimPrefix(c.r.URL.Query().Get("subscribe"), "logs/"), "/")
	if !core.ValidName(user) || !core.ValidName(app) {
		return core.Errorf(core.CodePlatformInvalid, "Subscribe to logs/USER/APP")
	}
	if !c.who.May(user) {
		return core.Errorf(core.CodePlatformForbidden, "That is another user's")
	}
	begin := time.Now()
	if _, err := a.o.Apps.Logs(user, app, begin, time.Time{}, 1); err != nil {
		return err
	}
	s, err := c.upgrade()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.ctx())
	var hearing sync.WaitGroup
	hearing.Go(func() {
		defer cancel() // whoever is gone reads nothing
		s.heartbeat()
	})
	defer hearing.Wait()
	defer s.conn.Close() //nolint:errcheck // all is said
	err = a.follow(ctx, s, user, app, begin)
	a.o.Logger.DebugContext(ctx, "platform log followed", "duration_ms", time.Since(begin).Milliseconds(), "end", err)
	return nil // the answer was the connection
}

// heartbeat answers what Primus asks now and then, until the connection ends.
func (s *socket) heartbeat() {
	for {
		text, err := s.read()
		if err != nil {
			return
		}
		if since, ok := strings.CutPrefix(text, `"primus::ping::`); ok && s.write(frameText, []byte(`"primus::pong::`+since)) != nil {
			return
		}
	}
}

// follow sends what an app writes from a time on, until ctx or the connection
// ends.
func (a *API) follow(ctx context.Context, s *socket, user, app string, from time.Time) error {
	look, ping := time.NewTicker(lookEvery), time.NewTicker(pingEvery)
	defer look.Stop()
	defer ping.Stop()
	sent := 0 // of the lines that were written at from
	for {
		lines, err := a.o.Apps.Logs(user, app, from, time.Time{}, maxRows)
		if err != nil {
			return err
		}
		slices.Reverse(lines) // the oldest first
		for _, l := range lines[min(sent, len(lines)):] {
			text, err := json.Marshal(toldLine(l))
			if err == nil {
				err = s.write(frameText, text)
			}
			if err != nil {
				return err
			}
		}
		if len(lines) > 0 {
			from = lines[len(lines)-1].Time
			at := slices.IndexFunc(lines, func(l apps.Line) bool { return !l.Time.Before(from) })
			sent = len(lines) - at
		}
		select {
		case <-look.C:
		case <-ping.C:
			if err := s.write(framePing, nil); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
