// Package image makes container images of built apps and pushes them to a registry,
// without a container engine. An image is a base image, which has Node.js, and one
// layer with the app's folder.
package image

import (
	"cmp"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Paths in an image, and the user of its processes.
const (
	AppDir  = "/app"                // the app's folder
	Program = "/.webhooks/webhooks" // the program that serves static sites
	Tools   = "/.webhooks/tools"    // package managers that builds have fetched
	User    = 1000                  // uid and gid that the app runs as; AppDir belongs to them, as apps write beside their code
)

// builtLabel is the label with the time at which the folder of an image was built, by
// which a snapshot that was replaced by another one of the same id is recognized.
const builtLabel = "webhooks.built"

// Options are the settings of [New]; only Registry is required.
type Options struct {
	Registry string         // host, and a path below which the images are, such as "registry.example.com/apps"
	Keychain authn.Keychain // credentials; default: as Docker's configuration file has them
	Base     string         // the base image, %s in it is the major version of Node.js; default "node:%s-slim"
	Temp     string         // folder for layers that are being made; default: the system's
}

// Builder makes images. It is safe for concurrent use.
type Builder struct{ o Options }

// New returns a Builder. It fails if the registry or the base image is invalid.
func New(o Options) (*Builder, error) {
	o.Base = cmp.Or(o.Base, "node:%s-slim")
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	b := &Builder{o}
	if o.Registry == "" {
		return nil, errors.New("image: no registry: name the one that images are pushed to")
	}
	if _, err := name.NewRepository(o.Registry + "/user/app"); err != nil {
		return nil, fmt.Errorf("image: invalid registry %q: %w", o.Registry, err)
	}
	if _, err := name.ParseReference(b.base("20.0.0")); err != nil {
		return nil, fmt.Errorf("image: invalid base image %q: %w", o.Base, err)
	}
	return b, nil
}

// Spec describes an image.
type Spec struct {
	User, App, Snapshot string
	Dir                 string   // the folder that becomes AppDir
	Work                string   // the folder in it that commands run in
	Path                []string // folders of programs: those in Dir, and those of a package manager
	Node                string   // version of Node.js
	Program             string   // file that becomes Program; "" for none
}

// Push pushes the image of a snapshot, unless the registry has it, and returns its
// reference by digest.
func (b *Builder) Push(ctx context.Context, s Spec) (ref string, err error) {
	repository, err := b.repository(s.User, s.App)
	if err != nil {
		return "", err
	}
	tag := repository.Tag(s.Snapshot)
	built, err := b.built(s)
	if err != nil {
		return "", fmt.Errorf("image: %w", err)
	}
	if digest, found, err := b.pushed(ctx, tag, built); err != nil || found {
		return digest, err
	}
	base, err := b.pull(ctx, s.Node)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(b.o.Temp, "image-")
	if err != nil {
		return "", fmt.Errorf("image: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	img, err := compose(ctx, base, s, built, dir)
	if err != nil {
		return "", fmt.Errorf("image: making the image of %s/%s: %w", s.User, s.App, err)
	}
	if err := remote.Write(tag, img, b.with(ctx)...); err != nil {
		return "", fmt.Errorf("image: pushing to %s: %w", tag, explained(err))
	}
	digest, err := img.Digest()
	if err != nil {
		return "", fmt.Errorf("image: %w", err)
	}
	return repository.Digest(digest.String()).String(), nil
}

// built identifies what an image is made of.
func (b *Builder) built(s Spec) (string, error) {
	info, err := os.Stat(s.Dir)
	if err != nil {
		return "", err
	}
	// The id is in it, so that no two snapshots have the same manifest: one is deleted
	// without the other.
	text := s.Snapshot + " " + strconv.FormatInt(info.ModTime().UnixNano(), 10) + " " + b.base(s.Node)
	if s.Program != "" {
		program, err := os.Stat(s.Program)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" %d %d", program.ModTime().UnixNano(), program.Size())
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16]), nil
}

// pushed returns the reference of an image by digest if the registry has it.
func (b *Builder) pushed(ctx context.Context, tag name.Tag, built string) (ref string, found bool, err error) {
	img, err := remote.Image(tag, b.with(ctx)...)
	if absent(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("image: reading %s: %w", tag, explained(err))
	}
	config, err := img.ConfigFile()
	if err != nil {
		return "", false, fmt.Errorf("image: reading %s: %w", tag, explained(err))
	}
	digest, err := img.Digest()
	if err != nil || config.Config.Labels[builtLabel] != built {
		return "", false, err
	}
	return tag.Context().Digest(digest.String()).String(), true, nil
}

// pull returns the base image for a version of Node.js. Its layers are read when they
// are pushed, unless the registry has them.
func (b *Builder) pull(ctx context.Context, node string) (v1.Image, error) {
	ref, err := name.ParseReference(b.base(node))
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	img, err := remote.Image(ref, append(b.with(ctx), remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}))...)
	if err != nil {
		return nil, fmt.Errorf("image: reading the base image %s: %w", ref, explained(err))
	}
	return img, nil
}

// base returns the name of the base image for a version of Node.js.
func (b *Builder) base(node string) string {
	major, _, _ := strings.Cut(strings.TrimPrefix(node, "v"), ".")
	return strings.ReplaceAll(b.o.Base, "%s", major)
}

// compose adds the layers and the settings of an app to its base image.
func compose(ctx context.Context, base v1.Image, s Spec, built, dir string) (v1.Image, error) {
	kind, err := base.MediaType()
	if err != nil {
		return nil, err
	}
	layerKind := types.OCILayer
	if kind == types.DockerManifestSchema2 {
		layerKind = types.DockerLayer
	}
	var layers []v1.Layer
	if s.Program != "" {
		if err := static(s.Program); err != nil {
			return nil, err
		}
		l, err := fileLayer(ctx, filepath.Join(dir, "program"), s.Program, Program, layerKind)
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	fetched, err := tools(s)
	if err != nil {
		return nil, err
	}
	for i, one := range fetched {
		l, err := one.layer(ctx, filepath.Join(dir, "tool-"+strconv.Itoa(i)), layerKind)
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	l, err := folderLayer(ctx, filepath.Join(dir, "app"), s.Dir, AppDir, layerKind)
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(base, append(layers, l)...)
	if err != nil {
		return nil, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config := *file.Config.DeepCopy()
	config.User = fmt.Sprintf("%d:%d", User, User)
	config.WorkingDir = Inside(s.Dir, s.Work)
	config.Env = withPath(config.Env, s, fetched)
	config.Entrypoint, config.Cmd = nil, nil
	if config.Labels == nil {
		config.Labels = map[string]string{}
	}
	config.Labels[builtLabel] = built
	return mutate.Config(img, config)
}

// static fails if a program needs libraries, which the base image may not have.
func static(program string) error {
	file, err := elf.Open(program)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s needs libraries, so that it can't be put into an image: build it with CGO_ENABLED=0", program)
		}
	}
	return nil
}

// withPath returns an environment with the app's folders of programs, and those of
// tools, before those of the base image.
func withPath(env []string, s Spec, fetched []tool) []string {
	before := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	env = slices.DeleteFunc(slices.Clone(env), func(one string) bool {
		value, found := strings.CutPrefix(one, "PATH=")
		if found {
			before = value
		}
		return found
	})
	var folders []string
	for _, folder := range s.Path {
		if inside := Inside(s.Dir, folder); inside != "" {
			folders = append(folders, inside)
		}
	}
	for _, t := range fetched {
		folders = append(folders, t.bin())
	}
	return append(env, "PATH="+strings.Join(append(folders, before), ":"))
}

// Inside returns the path in an image of a file of the folder dir, or "" if the file
// is not in that folder.
func Inside(dir, file string) string {
	rel, err := filepath.Rel(dir, file)
	if err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return path.Join(AppDir, filepath.ToSlash(rel))
}

// Prune deletes the images of an app's snapshots that are not listed. What has been
// deleted already is not an error.
func (b *Builder) Prune(ctx context.Context, user, app string, keep []string) error {
	repository, err := b.repository(user, app)
	if err != nil {
		return err
	}
	tags, err := remote.List(repository, b.with(ctx)...)
	if absent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("image: listing %s: %w", repository, explained(err))
	}
	for _, tag := range tags {
		if slices.Contains(keep, tag) {
			continue
		}
		// A tag that is deleted frees nothing: the manifest has to be deleted.
		found, err := remote.Head(repository.Tag(tag), b.with(ctx)...)
		if absent(err) {
			continue
		}
		if err == nil {
			err = remote.Delete(repository.Digest(found.Digest.String()), b.with(ctx)...)
			_ = remote.Delete(repository.Tag(tag), b.with(ctx)...) // most registries have done that
		}
		if err != nil && !absent(err) {
			return fmt.Errorf("image: deleting %s: %w", repository.Tag(tag), explained(err))
		}
	}
	return nil
}

func (b *Builder) with(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(b.o.Keychain), remote.WithUserAgent("webhooks")}
}

// absent reports whether a registry does not have what was asked for.
func absent(err error) bool {
	e, ok := errors.AsType[*transport.Error](err)
	return ok && e.StatusCode == http.StatusNotFound
}

// explained says what to do about a refusal.
func explained(err error) error {
	e, ok := errors.AsType[*transport.Error](err)
	switch {
	case ok && (e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%w: log in to the registry with `docker login`, or name its file of credentials by --registry-config", err)
	case ok && e.StatusCode == http.StatusMethodNotAllowed:
		return fmt.Errorf("%w: the registry does not allow to delete images", err)
	}
	return err
}

// component is a part of a repository's path.
var component = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$`) //nolint:gochecknoglobals // a constant

// repository returns the repository of an app's images.
func (b *Builder) repository(user, app string) (name.Repository, error) {
	return name.NewRepository(b.o.Registry + "/" + part(user) + "/" + part(app))
}

// part returns name, or a name of its own if it can't be a part of a path.
func part(name string) string {
	if component.MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return "n-" + hex.EncodeToString(sum[:8])
}
