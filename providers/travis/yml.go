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

// Config is what a .travis.yml says of webhook notifications.
type Config struct {
	Webhooks []Webhook // in the order of the file; without those that are off or lead nowhere
	Branches Branches
	Unread   []string // what the file has and decides by, too, and is not read here: "import", "if", "notifications.webhooks.if"
}

// Webhook is a webhook notification as Travis CI reads it, with the defaults
// for what the file leaves out (travis-ci/travis-yml, schema/def/notification;
// travis-ci/travis-hub, lib/travis/addons). Conditions (`if`) are not read.
type Webhook struct {
	URLs      []string // as the file has them; they may hold credentials
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
	Change Frequency = "change" // where the build before it stood otherwise
	Never  Frequency = "never"
)

// ParseConfig reads a .travis.yml, of several documents the first. It is as
// lenient as Travis CI: a key that comes twice counts as it comes last, and
// what is of another type than it should be is left out. It fails where the
// file is larger than [MaxConfig], no YAML, no mapping at its top, or becomes
// enormous as its aliases are resolved; the error is for a person to read.
func ParseConfig(yml []byte) (c Config, err error) {
	if len(yml) > MaxConfig {
		return Config{}, fmt.Errorf("travis: .travis.yml has %d bytes; at most %d are read", len(yml), MaxConfig)
	}
	defer func() { // the YAML parser's bugs must not be ours: anyone may send a file
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
		return Config{}, errors.New("travis: reading .travis.yml: its aliases repeat themselves too often")
	}
	root := resolve(document.Content[0])
	switch {
	case root.Tag == tagNull:
		return Config{}, nil
	case root.Kind != yaml.MappingNode:
		return Config{}, errors.New("travis: reading .travis.yml: it is no mapping")
	}
	return Config{Webhooks: readNotifications(root), Branches: readBranches(root), Unread: unread(root)}, nil
}

// Notifies tells whether a build of branch that passes can be notified to some
// webhook, as far as the file tells: one is declared that is not for failures
// only, and the branch is built ("" is a branch that is not known, and built).
// reason says why or why not, without the webhook's address.
//
// That it can be does not mean that it will: Travis CI may not be on for the
// repository, with the frequency [Change] a pass after a pass is not told, and
// what Unread names may say otherwise; the reason names it as well.
func (c Config) Notifies(branch string) (notifies bool, reason string) {
	notifies, reason = c.declares(branch)
	if len(c.Unread) > 0 {
		reason += "; not looked at: " + strings.Join(c.Unread, ", ")
	}
	return notifies, reason
}

// declares tells what the file says as far as it is read.
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
		return false, ".travis.yml keeps the branch " + strconv.Quote(branch) + " from being built"
	}
	if frequency == Change {
		return true, ".travis.yml declares a webhook for builds that pass after one that did not"
	}
	return true, ".travis.yml declares a webhook for builds that pass"
}
