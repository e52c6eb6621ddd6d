package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// heading matches a section of a changelog as keepachangelog.com has it:
// "## [0.1.0] - 2026-11-23", or "Unreleased" in place of the day.
var heading = regexp.MustCompile(`^## \[([^\]]+)\](?: - (.*))?$`)

// A section is what CHANGELOG.md says about one version.
type section struct {
	day time.Time // zero while it is unreleased
}

// findSection finds the section of a version ("v0.1.0"; the file leaves out the
// "v") and refuses one that says nothing.
func findSection(changelog, version string) (section, error) {
	name := strings.TrimPrefix(version, "v")
	var found *section
	filled := false
	for line := range strings.Lines(changelog) {
		line = strings.TrimSpace(line)
		match := heading.FindStringSubmatch(line)
		switch {
		case match != nil && found != nil:
			return finish(found, filled, name)
		case match != nil && match[1] == name:
			found = &section{}
			if match[2] == "Unreleased" {
				continue
			}
			day, err := time.Parse(time.DateOnly, match[2])
			if err != nil {
				return section{}, fmt.Errorf("CHANGELOG.md: %q must end in a day, as in 2026-11-23, or in Unreleased", line)
			}
			found.day = day
		case found != nil && strings.HasPrefix(line, "- "):
			filled = true
		}
	}
	return finish(found, filled, name)
}

func finish(found *section, filled bool, name string) (section, error) {
	if found == nil {
		return section{}, fmt.Errorf("CHANGELOG.md: has no section %q: write it", "## ["+name+"] - Unreleased")
	}
	if !filled {
		return section{}, fmt.Errorf("CHANGELOG.md: the section of %s lists nothing: write what changed, in lines that begin with \"- \"", name)
	}
	return *found, nil
}
