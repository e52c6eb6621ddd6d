package image_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A package manager that a build has fetched is in the image, and run by the Node.js of
// the image.
func TestTool(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tool := filepath.Join(t.TempDir(), "pnpm@9.1.0")
	for path, text := range map[string]string{
		"node_modules/pnpm/bin/pnpm.cjs": "the program",
		"bin-20.11.1/pnpm":               "#!/bin/sh\nexec '/usr/bin/node' '" + tool + "/node_modules/pnpm/bin/pnpm.cjs' \"$@\"\n",
		"bin-20.11.1/npm":                "#!/bin/sh\nexec '/usr/bin/node' '/usr/lib/node_modules/npm/bin/npm-cli.js' \"$@\"\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tool, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tool, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := spec(folder(t, time.Unix(1e9, 0)), "one")
	s.Path = append(s.Path, filepath.Join(tool, "bin-20.11.1"))
	ref, err := b.Push(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := name.NewDigest(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := remote.Image(digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if want := "PATH=/app/web/node_modules/.bin:/.webhooks/tools/pnpm@9.1.0/bin:/opt/bin"; err != nil || !slices.Contains(config.Config.Env, want) {
		t.Errorf("the environment is %q, %v", config.Config.Env, err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 3 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	text, err := layers[1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(text); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			files[strings.TrimPrefix(h.Name, ".webhooks/tools/pnpm@9.1.0/")] = string(content)
		}
	}
	if want := "#!/bin/sh\nexec 'node' '/.webhooks/tools/pnpm@9.1.0/node_modules/pnpm/bin/pnpm.cjs' \"$@\"\n"; len(files) != 2 || files["bin/pnpm"] != want || files["node_modules/pnpm/bin/pnpm.cjs"] != "the program" {
		t.Errorf("the layer has %q", files)
	}
}
