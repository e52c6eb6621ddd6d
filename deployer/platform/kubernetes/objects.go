package kubernetes

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nodejitsu/webhooks/deployer/platform/kubernetes/image"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// What is the same in each pod.
const (
	port        = 8080 // of the web process
	servicePort = 80
	portName    = "http"
	container   = "app"
	dataDir     = "/data"
	tempDir     = "/tmp"
)

// place identifies the objects of an app.
type place struct {
	namespace, prefix string
	user, app         string
	platform          string // id
}

// labels returns the labels of all objects of the app.
func (p place) labels() map[string]string {
	return map[string]string{
		labelName: label(p.app), labelInstance: p.prefix, labelManagedBy: managedBy,
		labelUser: label(p.user), labelPlatform: p.platform,
	}
}

// selector returns the selector of all objects of the app.
func (p place) selector() string {
	return selector(labelInstance, p.prefix, labelManagedBy, managedBy, labelPlatform, p.platform)
}

func (p place) meta(name string, more ...string) metav1.ObjectMeta {
	labels := p.labels()
	for pair := range slices.Chunk(more, 2) {
		labels[pair[0]] = pair[1]
	}
	return metav1.ObjectMeta{Name: name, Namespace: p.namespace, Labels: labels}
}

// launched describes the objects of a launch.
type launched struct {
	place
	o        Options
	v        runner.Version
	launch   string
	image    string // by digest
	identity string // of the version
}

// name returns the name of the launch's objects, and of those of a process.
func (l launched) name(process string) string {
	name := l.prefix + "-" + l.launch
	if process != "" {
		name += "-" + dns(process, 16)
	}
	return name
}

// component returns the label of a process.
func component(process string) string { return label(cmp.Or(process, web)) }

// environment returns the Secret with the environment of the launch.
func (l launched) environment() *corev1.Secret {
	env := map[string]string{"NODE_ENV": "production", "LANG": "C.UTF-8"}
	for name, value := range l.v.Env {
		if inside := image.Inside(l.v.Root, value); filepath.IsAbs(value) && inside != "" {
			value = inside // such as npm_package_json
		}
		env[name] = value
	}
	delete(env, "PORT")
	delete(env, "PATH") // the image has it
	env["SUBDOMAIN"] = l.v.Subdomain
	env["HOME"], env["DATA_DIR"], env["TMPDIR"] = dataDir, dataDir, tempDir
	env["USER"], env["LOGNAME"] = "node", "node"
	env["NODE_OPTIONS"] = startup.NodeOptions(env["NODE_OPTIONS"], l.memory(), l.v.NodeVersion)
	if env["PM2_HOME"] == "" {
		env["PM2_HOME"] = tempDir + "/pm2" // drones must not share a daemon
	}
	secret := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: l.meta(l.name(""), labelLaunch, l.launch, labelVersion, label(l.v.Snapshot)),
		Data:       map[string][]byte{},
	}
	secret.Annotations = map[string]string{annotationVersion: l.identity}
	for name, value := range env {
		secret.Data[name] = []byte(value)
	}
	return secret
}

func (l launched) memory() int64 { return cmp.Or(l.v.Limits.Memory, l.o.Memory) }

// deployment returns the Deployment of a process.
func (l launched) deployment(process string, replicas int) *appsv1.Deployment {
	labels := []string{labelLaunch, l.launch, labelComponent, component(process), labelVersion, label(l.v.Snapshot)}
	meta := l.meta(l.name(process), labels...)
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	template := l.pod(process, l.args(process))
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(replicas)), //nolint:gosec // a few
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{
				labelInstance: l.prefix, labelLaunch: l.launch, labelComponent: component(process),
			}},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one},
			},
			ProgressDeadlineSeconds: new(seconds(l.o.StartTimeout + l.o.ReadyTimeout)),
			RevisionHistoryLimit:    new(int32(1)),
			Template:                corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: meta.Labels}, Spec: template},
		},
	}
}

// args returns the command of a process.
func (l launched) args(process string) []string {
	switch {
	case process != "":
		return startup.Args(l.v.Dir, "node", l.v.Processes[process])
	case l.v.Static != "":
		args := append([]string{image.Program}, l.o.Site[1:]...)
		return append(args, ":"+strconv.Itoa(port), image.Inside(l.v.Root, l.v.Static), l.v.Fallback)
	}
	return startup.Args(l.v.Dir, "node", l.v.Start)
}

// pod returns the pod of a process, or of a command.
func (l launched) pod(process string, args []string) corev1.PodSpec {
	spec := corev1.PodSpec{
		AutomountServiceAccountToken: new(false),
		EnableServiceLinks:           new(false),
		// The first process of a PID namespace ignores the signals that it does not
		// handle, which Node.js relies on; and nothing collects its orphans.
		ShareProcessNamespace:         new(true),
		TerminationGracePeriodSeconds: new(int64(seconds(l.o.PreStop + l.o.Grace))),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(image.User)), RunAsGroup: new(int64(image.User)), FSGroup: new(int64(image.User)),
			FSGroupChangePolicy: new(corev1.FSGroupChangeOnRootMismatch),
			SeccompProfile:      &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: []corev1.Volume{l.data(), {Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
	}
	if l.o.PullSecret != "" {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: l.o.PullSecret}}
	}
	c := corev1.Container{
		Name: container, Image: l.image, ImagePullPolicy: corev1.PullIfNotPresent,
		Command:    literal(args),
		WorkingDir: image.Inside(l.v.Root, l.v.Dir),
		EnvFrom:    []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: l.name("")}}}},
		Resources:  l.resources(),
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: dataDir}, {Name: "tmp", MountPath: tempDir}},
	}
	if process == "" {
		l.serve(&c)
		spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{labelInstance: l.prefix, labelLaunch: l.launch, labelComponent: web}},
		}}
	}
	spec.Containers = []corev1.Container{c}
	return spec
}

// literal returns arguments in which Kubernetes expands nothing: it reads $(NAME), and
// $$ as $.
func literal(args []string) []string {
	all := make([]string, len(args))
	for i, arg := range args {
		all[i] = strings.ReplaceAll(arg, "$", "$$")
	}
	return all
}

// serve adds to a container what it needs to get requests.
func (l launched) serve(c *corev1.Container) {
	c.Ports = []corev1.ContainerPort{{Name: portName, ContainerPort: port, Protocol: corev1.ProtocolTCP}}
	c.Env = []corev1.EnvVar{{Name: "PORT", Value: strconv.Itoa(port)}}
	listens := corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString(portName)}}
	well := listens
	if l.v.Health != "" {
		get := &corev1.HTTPGetAction{Path: l.v.Health, Port: intstr.FromString(portName)}
		if l.o.Domain != "" {
			get.HTTPHeaders = []corev1.HTTPHeader{{Name: "Host", Value: l.v.Subdomain + "." + l.o.Domain}}
		}
		well = corev1.ProbeHandler{HTTPGet: get}
	}
	// The runner ends a launch earlier, so that it can say why.
	c.StartupProbe = &corev1.Probe{ProbeHandler: well, PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: seconds(l.o.ReadyTimeout) + 10}
	c.ReadinessProbe = &corev1.Probe{ProbeHandler: well, PeriodSeconds: 2, TimeoutSeconds: 5, FailureThreshold: 2}
	c.LivenessProbe = &corev1.Probe{ProbeHandler: listens, PeriodSeconds: 3, TimeoutSeconds: 5, FailureThreshold: 3}
	c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: int64(seconds(l.o.PreStop))}}}
}

// data returns the volume of DATA_DIR.
func (l launched) data() corev1.Volume {
	v := corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}
	if l.o.StorageClass != "" {
		v.VolumeSource = corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: l.prefix}}
	}
	return v
}

// The part of the limits that is reserved for a pod.
const (
	reservedMemory = 4 // a quarter
	leastCPU       = "10m"
)

func (l launched) resources() corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{
		Limits: corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(l.memory(), resource.BinarySI)},
		Requests: corev1.ResourceList{
			corev1.ResourceMemory: *resource.NewQuantity(l.memory()/reservedMemory, resource.BinarySI),
			corev1.ResourceCPU:    resource.MustParse(leastCPU),
		},
	}
	if l.v.Limits.CPUs > 0 {
		r.Limits[corev1.ResourceCPU] = *resource.NewMilliQuantity(int64(l.v.Limits.CPUs*1000), resource.DecimalSI)
	}
	return r
}

// command returns the pod of a command that runs once.
func (l launched) command(c runner.Command) *corev1.Pod {
	// The API has the output as one stream.
	args := []string{"/bin/sh", "-c", "exec 2>&1\n" + c.Shell}
	spec := l.pod(c.Name, args)
	spec.RestartPolicy = corev1.RestartPolicyNever
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: l.meta(l.name(c.Name), labelLaunch, l.launch, labelComponent, label("run-"+c.Name), labelCommand, label(c.Name), labelVersion, label(l.v.Snapshot)),
		Spec:       spec,
	}
}

// service returns the Service of the app, which selects the pods of a launch.
func (p place) service(launch string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: p.meta(p.prefix, labelComponent, web),
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{labelInstance: p.prefix, labelLaunch: launch, labelComponent: web},
			Ports:    []corev1.ServicePort{{Name: portName, Port: servicePort, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString(portName)}},
		},
	}
}

// budget returns the disruption budget of the app's web process. Without AlwaysAllow
// an app that crashes would keep its node from being drained.
func (p place) budget() *policyv1.PodDisruptionBudget {
	one := intstr.FromInt32(1)
	return &policyv1.PodDisruptionBudget{
		TypeMeta:   metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: p.meta(p.prefix, labelComponent, web),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: &one, UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{labelInstance: p.prefix, labelComponent: web}},
		},
	}
}

// claim returns the claim of the volume of DATA_DIR.
func (p place) claim(o Options) (*corev1.PersistentVolumeClaim, error) {
	size, err := resource.ParseQuantity(o.StorageSize)
	if err != nil {
		return nil, err
	}
	return &corev1.PersistentVolumeClaim{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: p.meta(p.prefix),
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			StorageClassName: &o.StorageClass,
			Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: size}},
		},
	}, nil
}

// userNamespace returns the namespace of a user, in which pods have to be restricted.
func userNamespace(name, user string) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			labelManagedBy: managedBy, labelUser: label(user), "pod-security.kubernetes.io/enforce": "restricted",
		}},
	}
}

// processNames returns the names of a version's processes without a port.
func processNames(v runner.Version) []string { return slices.Sorted(maps.Keys(v.Processes)) }

// hasWeb reports whether a version has a process with a port.
func hasWeb(v runner.Version) bool { return strings.TrimSpace(v.Start) != "" || v.Static != "" }

func seconds(d time.Duration) int32 { return int32(max(1, (d+time.Second-1)/time.Second)) } //nolint:gosec // minutes
