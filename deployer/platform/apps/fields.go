package apps

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// Fields are those of a package.json, or of an app's document, by name.
type Fields map[string]json.RawMessage

// reserved are the fields that say what the platform itself knows; what a
// caller says in them is not listened to.
const reserved = " _id _rev user state drones maxDrones config snapshots active running ctime mtime url reason crashed "

const (
	maxDomains = 50
	maxHost    = 253
	maxEnv     = 64 << 10 // bytes of all variables
)

// apply changes d as the fields say. What they don't name stays.
func (a *Apps) apply(d *document, fields Fields) error {
	for name, value := range fields {
		var err error
		switch name {
		case "name":
			err = sameName(value, d.Name)
		case "version":
			_ = json.Unmarshal(value, &d.Version) // what is no text says nothing
		case "subdomain":
			d.Subdomain, err = subdomain(value, d.Name)
		case "domains":
			d.Domains, err = a.domains(value)
		case "env":
			d.Env, err = env(value)
		default:
			if strings.Contains(reserved, " "+name+" ") {
				continue
			}
			if d.Package == nil {
				d.Package = map[string]json.RawMessage{}
			}
			d.Package[name] = value
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func sameName(value json.RawMessage, name string) error {
	var given string
	if json.Unmarshal(value, &given) == nil && (given == name || given == "") {
		return nil
	}
	return core.Errorf(core.CodePlatformInvalid, "The field name must be the app's, %q; an app can't be renamed", name)
}

// subdomain reads a subdomain; an empty one stands for the app's name.
func subdomain(value json.RawMessage, name string) (string, error) {
	var given string
	if err := json.Unmarshal(value, &given); err != nil {
		return "", core.Errorf(core.CodePlatformInvalid, "The field subdomain must be a text")
	}
	given = strings.ToLower(given)
	if given == "" {
		return name, nil
	}
	if strings.HasSuffix(given, ".") || strings.Contains(given, "..") {
		return "", checkName("a subdomain", "")
	}
	return given, checkName("a subdomain", given)
}

// domains reads a list of domains, or a single one.
func (a *Apps) domains(value json.RawMessage) ([]string, error) {
	var given []string
	var one string
	switch {
	case json.Unmarshal(value, &one) == nil:
		if one != "" {
			given = []string{one}
		}
	case json.Unmarshal(value, &given) != nil:
		return nil, core.Errorf(core.CodePlatformInvalid, "The field domains must be a list of texts")
	}
	if len(given) > maxDomains {
		return nil, core.Errorf(core.CodePlatformInvalid, "An app may have at most %d domains", maxDomains)
	}
	for i, domain := range given {
		domain = strings.ToLower(strings.TrimSuffix(domain, "."))
		if !host(domain) {
			return nil, core.Errorf(core.CodePlatformInvalid, "%.100q is no domain", given[i])
		}
		if domain == a.o.Domain || strings.HasSuffix(domain, "."+a.o.Domain) {
			return nil, core.Errorf(core.CodePlatformInvalid, "%.100q is below the platform's own domain; set the field subdomain instead", domain)
		}
		given[i] = domain
	}
	slices.Sort(given)
	return slices.Compact(given), nil
}

func host(domain string) bool {
	if domain == "" || len(domain) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if len(label) > 63 || !core.ValidName(label) {
			return false
		}
	}
	return true
}

// env reads an environment: texts, and numbers and booleans as their text.
func env(value json.RawMessage) (map[string]string, error) {
	var given map[string]any
	if err := json.Unmarshal(value, &given); err != nil {
		return nil, core.Errorf(core.CodePlatformInvalid, "The field env must be an object")
	}
	read := make(map[string]string, len(given))
	size := 0
	for name, value := range given {
		text, ok := value.(string)
		if !ok {
			switch value.(type) {
			case float64, bool:
				written, err := json.Marshal(value)
				if err != nil {
					return nil, err
				}
				text = string(written)
			case nil:
				continue
			default:
				return nil, core.Errorf(core.CodePlatformInvalid, "The variable %.100q in env must be a text", name)
			}
		}
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(text, "\x00") {
			return nil, core.Errorf(core.CodePlatformInvalid, "The variable %.100q in env can't be set: '=' and NUL can't stand in its name, nor NUL in its value", name)
		}
		if size += len(name) + len(text); size > maxEnv {
			return nil, core.Errorf(core.CodePlatformInvalid, "The variables in env are larger than %d KiB", maxEnv>>10)
		}
		read[name] = text
	}
	return read, nil
}
