package app

import (
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/platform/apps"
)

// happened returns an event of the platform as the use case records it.
func happened(e apps.Event) deploy.Happened {
	h := deploy.Happened{
		Event: string(e.Kind), User: e.User, App: e.App, By: e.By, Snapshot: e.Snapshot, URL: e.URL, Reason: e.Reason,
	}
	switch {
	case e.Failure != nil:
		h.Failure = core.Explain(core.CodeStartApp, e.Failure)
	case e.Kind == apps.EventCrashed || e.Kind == apps.EventRolledBack:
		h.Event = "crash"
		h.Failure = core.Explain(core.CodeAppCrashed, &core.Error{Code: core.CodeAppCrashed, Reason: e.Reason, Detail: e.Detail})
	}
	return h
}
