package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/httpapi/badge"
)

const (
	badgeScan  = 500             // entries in which a repository's newest one is looked for
	badgeBatch = 100             // of them that are read at a time
	badgeFresh = 5 * time.Second // how long what was found is used again
	maxBadges  = 10_000          // that are remembered
)

// badges remembers what badges show: anybody may ask for one, and looking it up
// reads many entries.
type badges struct {
	mu    sync.Mutex
	found map[badgeKey]badgeFound
}

type badgeKey struct{ user, repository string }

type badgeFound struct {
	state badge.State
	until time.Time
}

// badge responds with the badge of a repository. Of one that is private, unknown or
// another user's it is the same grey one, so that it does not say which.
func (a *API) badge(c *gin.Context) error {
	user, file, _ := strings.Cut(strings.TrimPrefix(c.Request.URL.Path, "/"), "/")
	repository, svg := strings.CutSuffix(file, ".svg")
	drawn, kind, typ := badge.SVG, svg, "image/svg+xml"
	if !svg {
		repository, kind = strings.CutSuffix(file, ".png")
		drawn, typ = badge.PNG, "image/png"
	}
	read := c.Request.Method == http.MethodGet || c.Request.Method == http.MethodHead
	if !read || !kind || !core.ValidName(user) || !core.ValidRepositoryPart(repository) {
		return core.NewError(core.CodeHTTPNotFound, "", nil)
	}
	state, err := a.badgeState(c.Request.Context(), badgeKey{user, strings.ToLower(repository)})
	if err != nil {
		return err
	}
	image, err := drawn(state)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(image)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	c.Header("ETag", tag)
	c.Header("Cache-Control", "public, max-age=30")
	if strings.Contains(c.Request.Header.Get("If-None-Match"), tag) {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return nil
	}
	c.Data(http.StatusOK, typ, image)
	return nil
}

// badgeState returns what the badge of a repository shows.
func (a *API) badgeState(ctx context.Context, key badgeKey) (badge.State, error) {
	now := time.Now()
	a.badges.mu.Lock()
	known, ok := a.badges.found[key]
	a.badges.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.state, nil
	}
	state, err := a.findBadge(ctx, key)
	if err != nil {
		return "", err
	}
	a.badges.mu.Lock()
	defer a.badges.mu.Unlock()
	if a.badges.found == nil || len(a.badges.found) >= maxBadges {
		a.badges.found = map[badgeKey]badgeFound{}
	}
	a.badges.found[key] = badgeFound{state, now.Add(badgeFresh)}
	return state, nil
}

// findBadge looks for the newest deployment of a repository.
func (a *API) findBadge(ctx context.Context, key badgeKey) (badge.State, error) {
	for skip := 0; skip < badgeScan; skip += badgeBatch {
		entries, total, err := a.o.Status.List(ctx, key.user, "", skip, badgeBatch)
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			if strings.ToLower(e.Repository.Name) != key.repository {
				continue
			}
			if e.Repository.Private {
				return badge.Unknown, nil
			}
			if state, ok := badgeOf(e); ok {
				return state, nil
			}
		}
		if skip+badgeBatch >= total {
			break
		}
	}
	return badge.Unknown, nil
}

// badgeOf returns what the badge shows if e is the newest entry; ok is false for an
// entry that says nothing about what runs.
func badgeOf(e core.Entry) (state badge.State, ok bool) {
	if e.Kind == core.EventPing || e.Kind == core.EventOther || e.Releases != "" {
		return "", false
	}
	switch e.Status {
	case core.StatusOK:
		return badge.Deployed, true
	case core.StatusError:
		return badge.Failed, true
	case core.StatusPending:
		return badge.Deploying, true
	}
	return "", false
}
