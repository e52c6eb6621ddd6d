package travis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxConfig is the largest .travis.yml that is read, in bytes.
const MaxConfig = 1 << 20

// Config is what a .travis.yml says about webhook notifications.
type Config struct {
	Webhooks []Webhook // in the order of the file, without those that are switched off or have no URL
	Branches Branches
	Unread   []string // keys that decide as well and are not read here: "import", "if", "notifications.webhooks.if"
}

// Webhook is a webhook notification as Travis CI reads it, with the defaults for what
// the file does not say (travis-ci/travis-yml, schema/def/notification;
// travis-ci/travis-hub, lib/travis/addons). Conditions (`if`) are not read.
type Webhook struct {
	URLs      []string // as the file has them; they may contain credentials
	Encrypted bool     // there is a URL that only Travis CI can read
	OnSuccess Frequency
	OnFailure Frequency
	OnStart   Frequency
	OnCancel  Frequency
	OnError   Frequency
}

// Frequency is when a kind of build is notified.
type Frequency string

// The frequencies.
const (
	Always Frequency = "always"
	Change Frequency = "change" // if the result differs from that of the build before
	Never  Frequency = "never"
)

// ParseConfig reads a .travis.yml, of several documents the first. It is as lenient as
// Travis CI: of a key that occurs twice the last value counts, and a value of the wrong
// type is ignored. It fails if the file is larger than [MaxConfig], is not valid YAML,
// is not a mapping, or becomes too large when its aliases are resolved. The error is for
// a person to read.
func ParseConfig(yml []byte) (c Config, err error) {
	if len(yml) > MaxConfig {
		return Config{}, fmt.Errorf("travis: .travis.yml has %d bytes; at most %d are read", len(yml), MaxConfig)
	}
	defer func() { // a bug of the YAML parser must not end the program
		if p := recover(); p != nil {
			c, err = Config{}, fmt.Errorf("travis: reading .travis.yml: %v", p)
		}
	}()
	var document yaml.Node
	if err := yaml.Unmarshal(yml, &document); err != nil {
		return Config{}, fmt.Errorf("travis: reading .travis.yml: %w", err)
	}
	if len(document.Content) == 0 {
		return Config{}, nil // empty
	}
	if expanded(&document, map[*yaml.Node]int{}) > maxSize {
		return Config{}, errors.New("travis: reading .travis.yml: its aliases expand to too much")
	}
	root := resolve(document.Content[0])
	switch {
	case root.Tag == tagNull:
		return Config{}, nil
	case root.Kind != yaml.MappingNode:
		return Config{}, errors.New("travis: reading .travis.yml: it is not a mapping")
	}
	return Config{Webhooks: readNotifications(root), Branches: readBranches(root), Unread: unread(root)}, nil
}

// Notifies reports whether a passed build of branch can be notified to a webhook,
// according to the file: one is declared that is not for failures only, and the branch
// is built ("" is an unknown branch, which counts as built). reason says why or why not,
// without the webhook's address.
//
// A build that can be notified may not be: Travis CI may be disabled for the repository,
// with the frequency [Change] a pass after a pass is not notified, and what Unread lists
// may exclude it; the reason lists that as well.
func (c Config) Notifies(branch string) (notifies bool, reason string) {
	notifies, reason = c.declares(branch)
	if len(c.Unread) > 0 {
		reason += "; not evaluated: " + strings.Join(c.Unread, ", ")
	}
	return notifies, reason
}

// declares is Notifies without regard to Unread.
func (c Config) declares(branch string) (notifies bool, reason string) {
	if len(c.Webhooks) == 0 {
		return false, ".travis.yml declares no webhook"
	}
	frequency := Never
	for _, w := range c.Webhooks {
		if w.OnSuccess == Always || w.OnSuccess == Change && frequency == Never {
			frequency = w.OnSuccess
		}
	}
	if frequency == Never {
		return false, ".travis.yml declares a webhook, but not for builds that pass"
	}
	if branch != "" && !c.Branches.Include(branch) {
		return false, ".travis.yml excludes the branch " + strconv.Quote(branch) + " from builds"
	}
	if frequency == Change {
		return true, ".travis.yml declares a webhook for builds that pass after one that did not"
	}
	return true, ".travis.yml declares a webhook for builds that pass"
}
