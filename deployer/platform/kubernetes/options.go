package kubernetes

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Options are the settings of a [Runner]; Dir and Image.Registry have no default.
type Options struct {
	Dir        string // folder for the logs and the state
	Kubeconfig string // file whose current context is used; "": the service account of the pod that the program runs in

	// Namespace is the namespace of all apps, which must exist. If it is "", each
	// user has one, NamespacePrefix and the user's name, which the runner creates.
	Namespace string

	Image image.Options // Temp is a folder in Dir
	// PullSecret names a Secret with the registry's credentials for the nodes; it must
	// exist in the namespaces of the apps. "": the nodes need none.
	PullSecret string
	// Site is the command that serves a static site: the file of a program that is put
	// into the image, and its arguments. The folder and the fallback are added.
	Site []string

	// StorageClass is the class of the volume that an app's DATA_DIR is on, which must
	// allow several pods to mount it (ReadWriteMany). "": each pod has a folder of its
	// own, which is lost with it.
	StorageClass string
	StorageSize  string // of a volume; default "1Gi"

	// Gateway is the Gateway that routes are attached to, NAMESPACE/NAME, and
	// IngressClass is the class of an Ingress in its place. Without both, only the
	// platform's router reaches the apps.
	Gateway, IngressClass string
	Domain                string // apps are below it

	// ReachedFrom are the namespaces whose pods may reach the apps, beside the
	// platform's own; the apps reach no address of a cloud's metadata then. Without
	// them, there is no NetworkPolicy.
	ReachedFrom []string

	ReadyTimeout time.Duration // for a drone to accept connections once it is started; default 30 s
	StartTimeout time.Duration // for a pod to be scheduled and its image to be pulled; default 5 minutes
	DrainTimeout time.Duration // for the requests of replaced drones to end; default 60 s
	PreStop      time.Duration // before a pod that is ended gets SIGTERM, so that no route has it any more; default 5 s
	Grace        time.Duration // for a drone to exit after SIGTERM; default 10 s
	Memory       int64         // bytes of a drone whose version has no limit; default 1 GiB

	Crashed func(runner.Crash) // called when a drone has crashed; must not block; default: does nothing
	Logger  *slog.Logger       // default: discards
	Now     func() time.Time   // default time.Now
}

// NamespacePrefix begins the names of the users' namespaces.
const NamespacePrefix = "webhooks-"

func (o Options) withDefaults() Options {
	o.StorageSize = cmp.Or(o.StorageSize, "1Gi")
	o.ReadyTimeout = cmp.Or(o.ReadyTimeout, 30*time.Second)
	o.StartTimeout = cmp.Or(o.StartTimeout, 5*time.Minute)
	o.DrainTimeout = cmp.Or(o.DrainTimeout, time.Minute)
	o.PreStop = cmp.Or(o.PreStop, 5*time.Second)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	o.Memory = cmp.Or(o.Memory, 1<<30)
	if o.Crashed == nil {
		o.Crashed = func(runner.Crash) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
