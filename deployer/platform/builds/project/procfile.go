package project

import (
	"os"
	"path"
	"regexp"
	"strings"
)

// process is a line of a Procfile (devcenter.heroku.com/articles/procfile).
var process = regexp.MustCompile(`^([A-Za-z0-9_-]{1,64}):\s*(\S.*)$`)

// readProcfile reads the commands of a Procfile; nil if there is none.
func readProcfile(root *os.Root, dir string) (map[string]string, error) {
	text, err := readOptional(root, path.Join(dir, "Procfile"))
	if err != nil || text == "" {
		return nil, err
	}
	commands := map[string]string{}
	for line := range strings.Lines(strings.TrimPrefix(text, bom)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		match := process.FindStringSubmatch(line)
		if match == nil {
			return nil, failure("the Procfile has the line %.100q; want NAME: COMMAND", line)
		}
		if commands[match[1]] != "" {
			return nil, failure("the Procfile has the process %q twice", match[1])
		}
		commands[match[1]] = match[2]
	}
	return commands, nil
}
