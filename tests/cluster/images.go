package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// registryServer is a registry of images in this process.
type registryServer struct {
	server *http.Server
	done   chan error
}

func serveRegistry(ctx context.Context, address string) (*registryServer, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := &registryServer{&http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}, make(chan error, 1)}
	go func() { s.done <- s.server.Serve(listener) }()
	return s, nil
}

func (s *registryServer) close() error {
	err := s.server.Close()
	if served := <-s.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// pause returns the reference of the image of the first process of each pod.
func (c *Cluster) pause() string { return c.Registry + "/pause:test" }

// pushImages makes the base image and that of the first process of each pod.
func (c *Cluster) pushImages(ctx context.Context) error {
	pause := filepath.Join(c.dir, "pause")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", pause, "github.com/nodejitsu/webhooks/tests/cluster/testdata/pause") //nolint:gosec // a path of the cluster's own
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the pause program: %w\n%s", err, out)
	}
	if err := c.Push(ctx, c.pause(), v1.Config{Entrypoint: []string{"/pause"}}, "", map[string]string{"/pause": pause}); err != nil {
		return err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return err
	}
	files := map[string]string{}
	for target, program := range map[string]string{"/usr/local/bin/node": node, "/bin/sh": "/bin/sh"} {
		if err := c.AddProgram(ctx, files, target, program); err != nil {
			return err
		}
	}
	// As the images of Node.js have it.
	files["/etc/passwd"] = filepath.Join(c.dir, "passwd")
	if err := os.WriteFile(files["/etc/passwd"], []byte("root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n"), 0o600); err != nil {
		return err
	}
	c.Base = c.Registry + "/node:test"
	return c.Push(ctx, c.Base, v1.Config{Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, Cmd: []string{"node"}}, "", files)
}

// AddProgram adds a program of this machine, and its shared libraries, to the files of
// an image.
func (c *Cluster) AddProgram(ctx context.Context, files map[string]string, target, program string) error {
	files[target] = program
	out, err := output(ctx, "ldd", program)
	if err != nil {
		return err
	}
	for line := range strings.Lines(out) {
		for word := range strings.FieldsSeq(line) {
			if strings.HasPrefix(word, "/") {
				files[word] = word
			}
		}
	}
	return nil
}

// Push makes an image and pushes it: base, or nothing if base is empty, with a layer
// of files of this machine, by their paths in the image. A folder is copied with
// everything in it. config has the environment and the command.
func (c *Cluster) Push(ctx context.Context, reference string, config v1.Config, base string, files map[string]string) error {
	layer, err := layerOf(files)
	if err != nil {
		return err
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	if base != "" {
		from, err := name.ParseReference(base)
		if err != nil {
			return err
		}
		if image, err = remote.Image(from, remote.WithContext(ctx)); err != nil {
			return fmt.Errorf("reading %s: %w", base, err)
		}
	}
	file, err := image.ConfigFile()
	if err != nil {
		return err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	file.Config.Env = append(file.Config.Env, config.Env...)
	file.Config.Entrypoint, file.Config.Cmd = config.Entrypoint, config.Cmd
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return err
	}
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		return err
	}
	to, err := name.ParseReference(reference)
	if err != nil {
		return err
	}
	if err := remote.Write(to, image, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("pushing %s: %w", reference, err)
	}
	return nil
}

// layerOf returns a layer that is not compressed, because it is pulled over
// loopback.
func layerOf(files map[string]string) (v1.Layer, error) {
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	err := archive.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777})
	if err != nil {
		return nil, err
	}
	for target, source := range files {
		// A link may be to a file that is not in the image.
		if source, err = filepath.EvalSymlinks(source); err != nil {
			return nil, err
		}
		if err := pack(archive, target, source); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return static.NewLayer(packed.Bytes(), types.OCIUncompressedLayer), nil
}

// pack writes a file, or a folder with everything in it.
func pack(archive *tar.Writer, target, source string) error {
	return filepath.WalkDir(source, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		var link string
		if info.Mode()&fs.ModeSymlink != 0 {
			if link, err = os.Readlink(at); err != nil {
				return err
			}
		}
		header, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(source, at)
		if err != nil {
			return err
		}
		header.Name = strings.TrimPrefix(path.Join(target, inside), "/")
		if entry.IsDir() {
			header.Name += "/"
		}
		// Another user must be able to read it.
		header.Mode |= 0o444 | header.Mode&0o100>>2 | header.Mode&0o100>>5
		header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
		if err := archive.WriteHeader(header); err != nil || !info.Mode().IsRegular() {
			return err
		}
		file, err := os.Open(at) //nolint:gosec // a file that the test names
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // only read
		_, err = io.Copy(archive, file)
		return err
	})
}
