package apps

import (
	"cmp"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/nodejitsu/webhooks/core"
)

// Fields are those of a package.json, or of an app's document, by name.
type Fields map[string]json.RawMessage

// reserved are the fields that the platform itself sets; a caller's values are
// ignored.
var reserved = map[string]bool{ //nolint:gochecknoglobals // never modified
	"_id": true, "_rev": true, "user": true, "state": true, "drones": true, "maxDrones": true, "config": true, "snapshots": true,
	"active": true, "running": true, "ctime": true, "mtime": true, "url": true, "reason": true, "crashed": true, "deployed_from": true,
}

const (
	maxDomains = 50
	maxHost    = 253
	maxEnv     = 64 << 10 // bytes of all variables
)

// parsed holds the decoded fields of an app.
type parsed struct {
	subdomain    string
	hasSubdomain bool
	domains      []string
	hasDomains   bool
	env          map[string]string
	hasEnv       bool
	version      string
	other        Fields
}

// parse decodes the fields of an app. It fails if one is invalid.
func (a *Apps) parse(app string, fields Fields) (p parsed, err error) {
	p.other = Fields{}
	for name, value := range fields {
		switch name {
		case "name":
			err = sameName(value, app)
		case "version":
			_ = json.Unmarshal(value, &p.version) // ignored if it is not a string
		case "subdomain":
			p.hasSubdomain = true
			p.subdomain, err = a.subdomain(value, app)
		case "domains":
			p.hasDomains = true
			p.domains, err = a.domains(value)
		case "env":
			p.hasEnv = true
			p.env, err = env(value)
		default:
			if !reserved[name] {
				p.other[name] = value
			}
		}
		if err != nil {
			return parsed{}, err
		}
	}
	return p, nil
}

// fieldsOf yields the names of the fields in p that a package.json may have too.
func fieldsOf(p parsed) iter.Seq[string] {
	return func(yield func(string) bool) {
		own := map[string]bool{"subdomain": p.hasSubdomain, "domains": p.hasDomains, "version": p.version != ""}
		for name, given := range own {
			if given && !yield(name) {
				return
			}
		}
		for name := range p.other {
			if !yield(name) {
				return
			}
		}
	}
}

// set applies settings of a person to d, and to the version that a rollback would
// start. Fields that p does not have are unchanged.
func (s *documents) set(d *document, p parsed) error {
	if p.hasSubdomain {
		d.Set.Subdomain = p.subdomain
	}
	if p.hasDomains {
		d.Set.Domains = p.domains
	}
	for _, v := range d.visibles() {
		if p.hasSubdomain {
			v.Subdomain = p.subdomain
		}
		if p.hasDomains {
			v.Domains = slices.Clone(p.domains)
		}
	}
	d.Version = cmp.Or(p.version, d.Version)
	if len(p.other) > 0 {
		d.Package = maps.Clone(d.Package)
		if d.Package == nil {
			d.Package = Fields{}
		}
		maps.Copy(d.Package, p.other)
	}
	for name := range fieldsOf(p) {
		if !slices.Contains(d.Pending, name) {
			d.Pending = append(d.Pending, name)
		}
	}
	if p.hasEnv {
		return s.setEnv(d, p.env)
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

// subdomain reads a subdomain; if it is empty, the app's name is used. As it is
// part of a host name, a dot must be between other characters.
func (a *Apps) subdomain(value json.RawMessage, name string) (string, error) {
	var given string
	if err := json.Unmarshal(value, &given); err != nil {
		return "", core.Errorf(core.CodePlatformInvalid, "The field subdomain must be a string")
	}
	given = strings.ToLower(given)
	if given == "" {
		given = name
	}
	if strings.HasSuffix(given, ".") || strings.Contains(given, "..") {
		return "", core.Errorf(core.CodePlatformInvalid, "Invalid subdomain %.100q; set the field subdomain to one without dots", given)
	}
	if err := checkName("subdomain", given); err != nil {
		return "", err
	}
	return given, a.checkReserved(given + "." + a.o.Domain)
}

// checkReserved fails if no app may have the host.
func (a *Apps) checkReserved(host string) error {
	if slices.Contains(a.o.Reserved, host) {
		return core.Errorf(core.CodePlatformHostConflict, "The host %q is the service's own; choose another subdomain or domain in package.json", host)
	}
	return nil
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
		return nil, core.Errorf(core.CodePlatformInvalid, "The field domains must be a list of strings")
	}
	if len(given) > maxDomains {
		return nil, core.Errorf(core.CodePlatformInvalid, "An app may have at most %d domains", maxDomains)
	}
	for i, domain := range given {
		domain = strings.ToLower(strings.TrimSuffix(domain, "."))
		if !host(domain) {
			if strings.ContainsFunc(domain, func(r rune) bool { return r > unicode.MaxASCII }) {
				return nil, core.Errorf(core.CodePlatformInvalid, "%.100q is not a domain: write letters other than a to z in their ASCII form, xn--…", given[i])
			}
			return nil, core.Errorf(core.CodePlatformInvalid, "%.100q is not a domain", given[i])
		}
		if domain == a.o.Domain || strings.HasSuffix(domain, "."+a.o.Domain) {
			return nil, core.Errorf(core.CodePlatformInvalid, "%.100q is below the platform's own domain; set the field subdomain instead", domain)
		}
		if err := a.checkReserved(domain); err != nil {
			return nil, err
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

// env reads an environment: strings, and numbers and booleans as their text.
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
				return nil, core.Errorf(core.CodePlatformInvalid, "The variable %.100q in env must be a string", name)
			}
		}
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(text, "\x00") {
			return nil, core.Errorf(core.CodePlatformInvalid, "Invalid variable %.100q in env: its name must not contain '=' or NUL, nor its value NUL", name)
		}
		if size += len(name) + len(text); size > maxEnv {
			return nil, core.Errorf(core.CodePlatformInvalid, "The variables in env are larger than %d KiB", maxEnv>>10)
		}
		read[name] = text
	}
	return read, nil
}
