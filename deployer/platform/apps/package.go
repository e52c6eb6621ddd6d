package apps

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// packageFields holds the fields of a snapshot's package.json.
type packageFields struct {
	Subdomain  string   `json:"subdomain,omitempty"`
	Domains    []string `json:"domains,omitempty"`
	HasDomains bool     `json:"has_domains,omitempty"` // also if there are none
	Version    string   `json:"version,omitempty"`
	Env        sealed   `json:"env,omitempty"`
	Other      Fields   `json:"other,omitempty"`
}

// maxOther limits the fields of a package.json that are stored only to be shown,
// in bytes.
const maxOther = 64 << 10

// packageOf reads the fields of a snapshot's package.json. It fails if they are
// invalid, so that a start can't fail because of them.
func (a *Apps) packageOf(d document, fields Fields) (p packageFields, err error) {
	fields = maps.Clone(fields)
	if !namesApp(fields["name"], d.Name) { // deployed under another name, such as staging beside production
		delete(fields, "subdomain")
		delete(fields, "domains")
	}
	delete(fields, "name")
	read, err := a.parse(d.Name, fields)
	if err != nil {
		return packageFields{}, err
	}
	p = packageFields{Domains: read.domains, HasDomains: read.hasDomains, Version: read.version, Other: read.other}
	if read.hasSubdomain {
		p.Subdomain = read.subdomain
	}
	if p.Env, err = a.docs.sealEnv(d.User, d.Name, read.env); err != nil {
		return packageFields{}, err
	}
	if text, err := json.Marshal(p.Other); err != nil || len(text) > maxOther {
		p.Other = nil
	}
	return p, nil
}

// namesApp reports whether the name in a package.json, if it has one, is the app's, not
// counting its scope and case.
func namesApp(name json.RawMessage, app string) bool {
	var text string
	if json.Unmarshal(name, &text) != nil || text == "" {
		return true
	}
	return strings.ToLower(text[strings.LastIndexByte(text, '/')+1:]) == app
}

// apply applies the package.json of a snapshot to d, over what people set,
// unless it is so already. What people set since the last start stays if keep is
// set: clients that deploy step by step set the fields before the start.
func (d *document) apply(s snapshot, keep bool) {
	d.Active = s.ID
	pending := d.Pending
	d.Pending = nil
	if d.Applied == s.ID {
		return
	}
	d.Applied = s.ID
	before := d.visible
	p := s.Package
	d.Subdomain = cmp.Or(p.Subdomain, d.Set.Subdomain, d.Name)
	d.Domains = slices.Clone(d.Set.Domains)
	if p.HasDomains {
		d.Domains = slices.Clone(p.Domains)
	}
	d.Version = cmp.Or(p.Version, d.Version)
	if p.Other != nil {
		d.Package = maps.Clone(p.Other)
	}
	if !keep {
		return
	}
	for _, name := range pending {
		switch name {
		case "subdomain":
			d.Subdomain = before.Subdomain
		case "domains":
			d.Domains = before.Domains
		case "version":
			d.Version = before.Version
		default:
			if d.Package == nil {
				d.Package = Fields{}
			}
			d.Package[name] = before.Package[name]
		}
	}
}
