package app

import (
	"log/slog"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/core/apps"
	"github.com/nodejitsu/webhooks/core/auth"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/httpapi"
	"github.com/nodejitsu/webhooks/httpapi/dashboard"
	"github.com/nodejitsu/webhooks/httpapi/serve/throttle"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// dashboardModule provides the use case of managing apps, and the pages for
// browsers. All servers of a platform share its key, so they accept each other's
// sessions.
func dashboardModule(cfg config.Config) fx.Option {
	return fx.Module("dashboard", fx.Provide(
		func(p apps.Platform) *apps.Service { return apps.New(apps.Options{Platform: p}) },
		func(d *deploy.Service, s *status.Service, a *auth.Service, p *apps.Service, e Endpoint, clock ClockBehind, embedded optionalPlatform, logins *throttle.Throttle, log *slog.Logger) *dashboard.Dashboard {
			return dashboard.New(dashboard.Options{
				Deploy: d, Status: s, Auth: a, Apps: p, Answer: httpapi.AnswerText, Key: e.Key, Logins: logins, Proxies: cfg.Proxies(), BaseURL: cfg.BaseURL,
				Warnings: func() []string { return warnings(clock, embedded) }, Logger: log,
			})
		},
	))
}
