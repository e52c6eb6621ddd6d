package image

import (
	"archive/tar"
	"context"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/nodejitsu/webhooks/deployer/platform/builds"
)

// tool is a package manager that a build has fetched.
type tool struct {
	dir      string // its folder
	programs []builds.Program
}

// tools returns the package managers that an app finds besides those of the base image.
func tools(s Spec) (all []tool, err error) {
	for _, folder := range s.Path {
		if Inside(s.Dir, folder) != "" {
			continue
		}
		programs, err := builds.Programs(folder)
		if err != nil {
			return nil, err
		}
		t := tool{dir: filepath.Dir(folder)}
		for _, p := range programs {
			if rel, err := filepath.Rel(t.dir, p.Path); err == nil && filepath.IsLocal(rel) { // npm is the base image's
				t.programs = append(t.programs, p)
			}
		}
		if len(t.programs) > 0 {
			all = append(all, t)
		}
	}
	return all, nil
}

// root returns the folder of the tool in an image.
func (t tool) root() string { return path.Join(Tools, filepath.Base(t.dir)) }

// bin returns the folder of its programs in an image.
func (t tool) bin() string { return path.Join(t.root(), "bin") }

// layer writes a layer with the tool, whose programs are run by the Node.js of the image.
func (t tool) layer(ctx context.Context, file string, kind types.MediaType) (v1.Layer, error) {
	return writeLayer(file, kind, 0, func(w *archive) error {
		err := filepath.WalkDir(t.dir, func(at string, entry fs.DirEntry, err error) error {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if entry.IsDir() && filepath.Dir(at) == t.dir && strings.HasPrefix(entry.Name(), "bin") {
				return fs.SkipDir // what runs it on this machine
			}
			rel, err := filepath.Rel(t.dir, at)
			if err != nil {
				return err
			}
			return add(w, t.dir, at, path.Join(t.root(), filepath.ToSlash(rel)), entry.Type())
		})
		if err != nil {
			return err
		}
		if err := w.WriteHeader(header(t.bin(), tar.TypeDir, 0o755)); err != nil {
			return err
		}
		for _, p := range t.programs {
			if err := addText(w, path.Join(t.bin(), p.Name), t.script(p)); err != nil {
				return err
			}
		}
		return nil
	})
}

// script returns the shell script that runs a program of the tool in an image.
func (t tool) script(p builds.Program) string {
	rel, err := filepath.Rel(t.dir, p.Path)
	if err != nil { // never: tools has looked at it
		return ""
	}
	by := ""
	if p.Node {
		by = "node"
	}
	return builds.Script(by, path.Join(t.root(), filepath.ToSlash(rel)))
}

// addText adds an executable file with a text.
func addText(w *archive, name, text string) error {
	h := header(name, tar.TypeReg, 0o755)
	h.Size = int64(len(text))
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.WriteString(w, text)
	return err
}
