package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// sums are the two hashes that a go.sum has of a module.
type sums struct {
	zip string // of all its files
	mod string // of its go.mod alone
}

// hash computes what the go command will find when it fetches m, which lies in
// the folder dir of a tree of the git repository at root. A module below the
// root gets the root's LICENSE into its zip; that is the go command's doing, and
// CreateFromVCS follows it.
func hash(m module.Version, root, tree, dir string, goMod []byte, scratch string) (sums, error) {
	name := filepath.Join(scratch, dir+".zip")
	file, err := os.Create(name)
	if err != nil {
		return sums{}, fmt.Errorf("hashing %s: %w", m, err)
	}
	err = zip.CreateFromVCS(file, m, root, tree, dir)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return sums{}, fmt.Errorf("hashing %s: %w", m, err)
	}
	var s sums
	if s.zip, err = dirhash.HashZip(name, dirhash.Hash1); err != nil {
		return sums{}, fmt.Errorf("hashing %s: %w", m, err)
	}
	s.mod, err = dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(goMod)), nil
	})
	if err != nil {
		return sums{}, fmt.Errorf("hashing %s: %w", m, err)
	}
	return s, nil
}

// addSums returns goSum with the hashes of more modules, sorted as the go
// command sorts it.
func addSums(goSum []byte, more map[module.Version]sums) ([]byte, error) {
	lines := make(map[module.Version]string)
	for line := range strings.Lines(string(goSum)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("go.sum: malformed line %q", line)
		}
		lines[module.Version{Path: fields[0], Version: fields[1]}] = fields[2]
	}
	for m, s := range more {
		lines[m] = s.zip
		lines[module.Version{Path: m.Path, Version: m.Version + "/go.mod"}] = s.mod
	}
	keys := make([]module.Version, 0, len(lines))
	for m := range lines {
		keys = append(keys, m)
	}
	module.Sort(keys)
	var out bytes.Buffer
	for _, m := range keys {
		_, _ = fmt.Fprintf(&out, "%s %s %s\n", m.Path, m.Version, lines[m])
	}
	return out.Bytes(), nil
}
