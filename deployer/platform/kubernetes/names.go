package kubernetes

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// Labels of the objects of an app: those that Kubernetes recommends, and ours.
const (
	labelName      = "app.kubernetes.io/name"       // the app
	labelInstance  = "app.kubernetes.io/instance"   // the app, unique in its namespace
	labelManagedBy = "app.kubernetes.io/managed-by" // "webhooks"
	labelComponent = "app.kubernetes.io/component"  // the process
	labelVersion   = "app.kubernetes.io/version"    // the snapshot

	ours          = "webhooks.nodejitsu.com/"
	labelUser     = ours + "user"
	labelLaunch   = ours + "launch"
	labelCommand  = ours + "command"  // of a pod that runs a command once
	labelPlatform = ours + "platform" // the platform, by the id in its data folder

	annotationVersion = ours + "version" // of a Secret: what the version was, for the platform that takes it over
	annotationOrder   = ours + "order"   // of a Service: the order of the last start

	managedBy = "webhooks"
	web       = "web" // the component of the web process
)

var (
	dnsName    = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)               //nolint:gochecknoglobals // a constant
	labelValue = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`) //nolint:gochecknoglobals // a constant
	notDNS     = regexp.MustCompile(`[^a-z0-9]+`)                                 //nolint:gochecknoglobals // a constant
)

// dns returns name if it may be a part of the name of an object, with at most limit
// bytes, else a name that is made of it and unique.
func dns(name string, limit int) string {
	if len(name) <= limit && dnsName.MatchString(name) {
		return name
	}
	return hashed(name, name, limit)
}

// hashed returns a name that begins like text and ends with a hash of key.
func hashed(text, key string, limit int) string {
	sum := sha256.Sum256([]byte(key))
	hash := hex.EncodeToString(sum[:4])
	text = strings.Trim(notDNS.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if text == "" || text[0] < 'a' {
		text = "n" + text
	}
	text = strings.TrimRight(text[:min(len(text), limit-len(hash)-1)], "-")
	return text + "-" + hash
}

// label returns value if a label may have it, else a value made of it.
func label(value string) string {
	if len(value) <= 63 && labelValue.MatchString(value) {
		return value
	}
	return hashed(value, value, 63)
}

// maxPrefix is the longest beginning of the names of an app's objects: what is added
// to it must fit into 63 bytes.
const maxPrefix = 30

// prefix returns the beginning of the names of an app's objects, which is unique in
// its namespace.
func prefix(user, app string, shared bool) string {
	if !shared {
		return dns(app, maxPrefix)
	}
	// With a hyphen in one of them, two could have the same.
	if plain := user + "-" + app; len(plain) <= maxPrefix && dnsName.MatchString(plain) && strings.Count(plain, "-") == 1 {
		return plain
	}
	return hashed(user+"-"+app, user+"/"+app, maxPrefix)
}

// newLaunch returns the id of a launch, which is a part of names.
func newLaunch() string { return strings.ToLower(rand.Text()[:8]) }

// selector returns the selector of objects with labels.
func selector(pairs ...string) string {
	var all []string
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, pair[0]+"="+pair[1])
	}
	return strings.Join(all, ",")
}
