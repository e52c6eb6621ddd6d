package apps

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// Options configures a Service. Platform is required.
type Options struct {
	Platform Platform

	ReadTimeout  time.Duration // for reading apps and logs; 10 s
	StartTimeout time.Duration // for starting and stopping; 3 min
}

// Service manages apps. It may be used concurrently. Its methods fail with the
// platform's codes, with [core.CodePlatformAppNotFound] if the user has no such
// app, and with [core.CodeInternal].
type Service struct{ o Options }

// New returns a Service.
func New(o Options) *Service {
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = 10 * time.Second
	}
	if o.StartTimeout <= 0 {
		o.StartTimeout = 3 * time.Minute
	}
	return &Service{o}
}

// List returns the user's apps, by name.
func (s *Service) List(ctx context.Context, user string) ([]App, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.ReadTimeout)
	defer cancel()
	all, err := s.o.Platform.Apps(ctx, user)
	if err != nil {
		return nil, failure(err)
	}
	slices.SortFunc(all, func(a, b App) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Get returns an app.
func (s *Service) Get(ctx context.Context, user, app string) (App, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.ReadTimeout)
	defer cancel()
	if !core.ValidName(app) {
		return App{}, failure(core.ErrNotFound)
	}
	found, err := s.o.Platform.App(ctx, user, app)
	return found, failure(err)
}

// Logs returns the last n lines of an app's log, the oldest first.
func (s *Service) Logs(ctx context.Context, user, app string, n int) ([]Line, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.ReadTimeout)
	defer cancel()
	if !core.ValidName(app) {
		return nil, failure(core.ErrNotFound)
	}
	lines, err := s.o.Platform.Logs(ctx, user, app, n)
	return lines, failure(err)
}

// Restart starts the app again, with its environment. It returns when the app
// answers.
func (s *Service) Restart(ctx context.Context, user, app string) error {
	return s.change(ctx, user, app, func(ctx context.Context, a App) error {
		if a.Running() == "" {
			return s.o.Platform.Run(ctx, user, app)
		}
		return s.o.Platform.Restart(ctx, user, app)
	})
}

// Stop stops the app.
func (s *Service) Stop(ctx context.Context, user, app string) error {
	return s.change(ctx, user, app, func(ctx context.Context, _ App) error { return s.o.Platform.Stop(ctx, user, app) })
}

// Rollback starts another snapshot of the app. If that fails, the app is unchanged.
func (s *Service) Rollback(ctx context.Context, user, app, snapshot string) error {
	return s.change(ctx, user, app, func(ctx context.Context, a App) error {
		if !slices.ContainsFunc(a.Snapshots, func(s Snapshot) bool { return s.ID == snapshot }) {
			return core.NewError(core.CodePlatformSnapshotNotFound, "", nil)
		}
		return s.o.Platform.Rollback(ctx, user, app, snapshot)
	})
}

// SetVariable sets a variable of the app's environment, which applies from the
// next start on.
func (s *Service) SetVariable(ctx context.Context, user, app, name, value string) error {
	if !validVariable(name) {
		return core.Errorf(core.CodePlatformInvalid, "invalid variable name %.100q: want letters, digits and underscores", name)
	}
	return s.change(ctx, user, app, func(ctx context.Context, a App) error {
		env := maps.Clone(a.Env)
		if env == nil {
			env = map[string]string{}
		}
		env[name] = value
		return s.o.Platform.SetEnv(ctx, user, app, env)
	})
}

// RemoveVariable removes a variable of the app's environment, which applies from
// the next start on.
func (s *Service) RemoveVariable(ctx context.Context, user, app, name string) error {
	return s.change(ctx, user, app, func(ctx context.Context, a App) error {
		env := maps.Clone(a.Env)
		delete(env, name)
		return s.o.Platform.SetEnv(ctx, user, app, env)
	})
}

// AddDomain adds a domain to the app.
func (s *Service) AddDomain(ctx context.Context, user, app, domain string) error {
	domain = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(domain), "."))
	if domain == "" {
		return core.NewError(core.CodePlatformInvalid, "no domain is given: want a host name such as www.example.com", nil)
	}
	return s.change(ctx, user, app, func(ctx context.Context, a App) error {
		if slices.Contains(a.Domains, domain) {
			return nil
		}
		return s.o.Platform.SetDomains(ctx, user, app, append(slices.Clone(a.Domains), domain))
	})
}

// RemoveDomain removes a domain from the app.
func (s *Service) RemoveDomain(ctx context.Context, user, app, domain string) error {
	return s.change(ctx, user, app, func(ctx context.Context, a App) error {
		rest := slices.DeleteFunc(slices.Clone(a.Domains), func(d string) bool { return d == domain })
		return s.o.Platform.SetDomains(ctx, user, app, rest)
	})
}

// change reads an app and calls do with it.
func (s *Service) change(ctx context.Context, user, app string, do func(ctx context.Context, a App) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.StartTimeout)
	defer cancel()
	a, err := s.Get(ctx, user, app)
	if err != nil {
		return err
	}
	return failure(do(ctx, a))
}

// validVariable reports whether name can be set in the environment of a process.
func validVariable(name string) bool {
	return name != "" && len(name) <= 255 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// failure returns the error for a caller.
func failure(err error) error {
	if _, ok := errors.AsType[*core.Error](err); ok || err == nil {
		return err
	}
	if errors.Is(err, core.ErrNotFound) {
		return core.NewError(core.CodePlatformAppNotFound, "", err)
	}
	if _, ok := core.Retryable(err); ok {
		return core.NewError(core.CodePlatformBusy, "", err)
	}
	return core.NewError(core.CodeInternal, "", err)
}
