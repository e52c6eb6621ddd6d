package builds

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodejitsu/webhooks/core/atomicfile"
)

// Program is a program of a package manager, which scripts call by a name.
type Program struct {
	Name string
	Path string // of the file that is run
	Node bool   // it is run by Node.js
}

// The parts of the shell scripts that run programs.
const (
	scriptBegin = "#!/bin/sh\nexec "
	scriptEnd   = " \"$@\"\n"
)

// quoted quotes a text as a single word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// Script returns a shell script that runs a program, by a Node.js unless that is "".
func Script(by, program string) string {
	run := quoted(program)
	if by != "" {
		run = quoted(by) + " " + run
	}
	return scriptBegin + run + scriptEnd
}

// writeProgram writes the [Script] that runs a program.
func writeProgram(to, by, program string) error {
	text := Script(by, program)
	if old, err := os.ReadFile(to); err == nil && string(old) == text { //nolint:gosec // written by the server
		return nil
	}
	return atomicfile.Write(to, []byte(text), 0o755)
}

// Programs returns the programs of a package manager by a folder of Result.Path that is
// not the app's. There are none if the folder does not exist any more.
func Programs(dir string) (all []Program, err error) {
	scripts, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("builds: reading the programs of a package manager: %w", err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(filepath.Join(dir, script.Name())) //nolint:gosec // written by writeProgram
		if err != nil {
			return nil, fmt.Errorf("builds: reading the programs of a package manager: %w", err)
		}
		run, ok := strings.CutPrefix(string(text), scriptBegin)
		run, ends := strings.CutSuffix(run, scriptEnd)
		if !ok || !ends {
			continue // another file
		}
		words := strings.Split(strings.Trim(run, "'"), "' '")
		path := strings.ReplaceAll(words[len(words)-1], `'\''`, "'")
		all = append(all, Program{Name: script.Name(), Path: path, Node: len(words) > 1})
	}
	return all, nil
}
