package project

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/nodejitsu/webhooks/deployer/platform/cron"
)

const (
	manifestName = "package.json"
	maxPackage   = 4 << 20  // bytes of a package.json
	maxFile      = 64 << 20 // bytes of another file that is read, such as a lockfile
	stopFirst    = "stop-first"
	bom          = "\xef\xbb\xbf"
)

// Package is what a package.json says that building and running an app needs.
// Fields of another type than npm wants are read as if they were not there.
type Package struct {
	Name            string
	Version         string
	Main            string
	Scripts         map[string]string
	Dependencies    map[string]string // with the optional and the peer ones
	DevDependencies map[string]string
	Engines         map[string]string
	PackageManager  string
	Workspaces      []string
	Env             map[string]string // of the app
	Config          map[string]string // npm's
	Health          string            // path that answers 2xx or 3xx once the app is ready; "" for none
	Static          string            // folder of a static site; "" for none
	Cron            []CronJob         // commands that are run by the clock
	Sticky          bool              // requests of a client go to the same process of several
	StopFirst       bool              // no two versions of the app may run at the same time
	Fallback        string            // file of a static site that answers unknown paths; "" for none

	raw map[string]json.RawMessage
}

// readPackage reads the package.json of a folder. It fails with
// [fs.ErrNotExist] if there is none, and as failure does if it can't be used.
func readPackage(root *os.Root, dir string) (Package, error) {
	name := path.Join(dir, manifestName)
	text, err := readFile(root, name, maxPackage)
	if errors.Is(err, fs.ErrNotExist) {
		return Package{}, err
	}
	if err != nil {
		return Package{}, failure("%s can't be read: %v", name, err)
	}
	p, err := parsePackage(text)
	if err != nil {
		return Package{}, failure("%s is not valid: %v", name, err)
	}
	return p, nil
}

func parsePackage(text []byte) (Package, error) {
	var raw map[string]json.RawMessage
	err := json.Unmarshal(bytes.TrimPrefix(text, []byte(bom)), &raw)
	if err == nil && raw == nil {
		err = errors.New("it is null")
	}
	if err != nil {
		return Package{}, fmt.Errorf("want a JSON object: %w", err)
	}
	p := Package{
		Name: word(raw["name"]), Version: word(raw["version"]), Main: word(raw["main"]),
		Scripts: words(raw["scripts"]), Engines: engines(raw["engines"]), PackageManager: word(raw["packageManager"]),
		DevDependencies: words(raw["devDependencies"]), Dependencies: map[string]string{},
		Workspaces: workspaces(raw["workspaces"]), Env: scalars(raw["env"]), Config: scalars(raw["config"]), Health: word(raw["health"]),
		raw: raw,
	}
	for _, name := range []string{"peerDependencies", "optionalDependencies", "dependencies"} {
		maps.Copy(p.Dependencies, words(raw[name]))
	}
	ours := object(raw["webhooks"])
	p.Static, p.Fallback = word(ours["static"]), word(ours["fallback"])
	if p.Cron, err = cronJobs(ours["cron"]); err != nil {
		return Package{}, err
	}
	p.Sticky = string(ours["sticky"]) == "true"
	p.StopFirst = word(ours["switch"]) == stopFirst
	return p, nil
}

// CronJob is a command that is run by the clock, in UTC.
type CronJob struct {
	Schedule string `json:"schedule"`
	Command  string `json:"command"`
}

// maxCron limits the number of commands that are run by the clock.
const maxCron = 20

// cronJobs reads a list of commands with their schedules.
func cronJobs(field json.RawMessage) ([]CronJob, error) {
	if field == nil {
		return nil, nil
	}
	var jobs []CronJob
	if json.Unmarshal(field, &jobs) != nil || len(jobs) > maxCron {
		return nil, fmt.Errorf("webhooks.cron: want a list of at most %d objects such as {\"schedule\": \"0 3 * * *\", \"command\": \"node clean.js\"}", maxCron)
	}
	for _, job := range jobs {
		if strings.TrimSpace(job.Command) == "" {
			return nil, errors.New("webhooks.cron: a command is missing")
		}
		if _, err := cron.Parse(job.Schedule); err != nil {
			return nil, fmt.Errorf("webhooks.cron: invalid schedule %.100q: %w", job.Schedule, err)
		}
	}
	return jobs, nil
}

// Script returns a script's command, "" if there is none.
func (p Package) Script(name string) string { return strings.TrimSpace(p.Scripts[name]) }

// Fields returns the raw fields of those names.
func (p Package) Fields(names ...string) map[string]json.RawMessage {
	found := map[string]json.RawMessage{}
	for _, name := range names {
		if field := p.raw[name]; field != nil {
			found[name] = field
		}
	}
	return found
}

// All returns all fields as they are.
func (p Package) All() map[string]json.RawMessage { return maps.Clone(p.raw) }

// readFile reads a regular file of at most limit bytes.
func readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	// An app that runs has the same user, and may have put a pipe there.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes", limit)
	}
	return text, nil
}

// engines returns the ranges for node and the package managers: an object, or
// as old packages have it "node RANGE", or a list of such texts.
func engines(field json.RawMessage) map[string]string {
	if found := scalars(field); len(found) > 0 {
		return found
	}
	var list []string
	if json.Unmarshal(field, &list) != nil {
		list = []string{word(field)}
	}
	for _, text := range list {
		rest, ok := strings.CutPrefix(strings.TrimSpace(text), "node")
		if ok || rest != "" && strings.ContainsAny(rest[:1], "0123456789<>=~^*vx") {
			return map[string]string{"node": strings.TrimSpace(rest)}
		}
	}
	return nil
}

// workspaces returns the patterns of a list, or of yarn's {"packages": LIST}.
func workspaces(field json.RawMessage) []string {
	if packages := object(field)["packages"]; packages != nil {
		field = packages
	}
	var list []string
	if json.Unmarshal(field, &list) != nil {
		return nil
	}
	return slices.DeleteFunc(list, func(pattern string) bool { return pattern == "" })
}

// word returns the text in a field, "" if it is something else.
func word(field json.RawMessage) string {
	var text string
	if json.Unmarshal(field, &text) != nil {
		return ""
	}
	return text
}

// object returns the fields of an object, none if it is something else.
func object(field json.RawMessage) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(field, &fields) != nil {
		return nil
	}
	return fields
}

// words returns the texts in an object.
func words(field json.RawMessage) map[string]string {
	found := map[string]string{}
	for name, value := range object(field) {
		var text string
		if json.Unmarshal(value, &text) == nil {
			found[name] = text
		}
	}
	return found
}

// scalars returns the texts in an object, and numbers and booleans as they are
// written.
func scalars(field json.RawMessage) map[string]string {
	found := map[string]string{}
	for name, value := range object(field) {
		var text string
		switch {
		case json.Unmarshal(value, &text) == nil && string(value) != "null":
			found[name] = text
		case len(value) > 0 && !strings.ContainsAny(string(value[:1]), `{[n`):
			found[name] = string(value)
		}
	}
	return found
}
