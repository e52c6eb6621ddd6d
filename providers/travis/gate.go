package travis

import (
	"context"
	"errors"
	"fmt"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
)

// Reports of Travis CI are for this gate and this key.
const (
	gateName = "travis"
	gateKey  = "build"
)

// maxFault is the maximum length of what a note says of a .travis.yml, in bytes.
const maxFault = 200

// Gate makes pushes wait for Travis CI if the .travis.yml of their commit declares a
// webhook that can be notified of a build that passed. The zero value is ready to
// use, and all its methods may be called concurrently.
type Gate struct{}

// Name returns "travis".
func (Gate) Name() string { return gateName }

// Required returns what the push waits for. file reads a file of its commit, and fails
// with core.ErrNotFound if there is none of that name. A .travis.yml that Travis CI
// cannot read either makes no push wait.
func (Gate) Required(ctx context.Context, push core.Entry, file func(ctx context.Context, path string) ([]byte, error)) (core.Wait, error) {
	yml, err := file(ctx, ".travis.yml")
	switch {
	case errors.Is(err, core.ErrNotFound):
		return core.Wait{Reason: "There is no .travis.yml"}, nil
	case err != nil:
		return core.Wait{}, fmt.Errorf("read .travis.yml: %w", err)
	}
	config, err := ParseConfig(yml)
	if err != nil {
		return core.Wait{
			Reason: ".travis.yml is invalid",
			Note:   "Travis CI cannot read .travis.yml, so the push did not wait for it: " + field.Prose(err.Error(), maxFault),
		}, nil
	}
	notifies, reason := config.Notifies(push.Branch)
	if !notifies {
		return core.Wait{Reason: reason}, nil
	}
	wait := core.Wait{Keys: []string{gateKey}, For: "Travis CI's report on the commit (" + reason + ")", Reason: reason}
	if push.SkipsCI {
		wait.Never = "The push asks Travis CI to build nothing, and .travis.yml says to wait for its build"
	}
	return wait, nil
}
