package gitlab

import (
	"cmp"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/field"
	"github.com/nodejitsu/webhooks/providers/internal/gitpush"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// payload is what is read of any payload. A field that is absent, null or of
// another type than GitLab documents is zero.
type payload struct {
	objectKind, eventName string
	instance              string // of the header

	ref, before, after string
	checkoutSHA        string // the commit of a branch or a tag; "" if it was deleted
	commits            gitpush.List
	tag                bool // of a job: ref is a tag

	project         project
	hasProject      bool
	homepage        string // repository.homepage: the project's web address
	projectName     string // of a job: "group / name" or "group/name"
	pipeline        pipeline
	hasMergeRequest bool

	// Of a pipeline and a job.
	commit core.Commit

	// Of a job.
	sha                   string
	jobID, name, jobState string
}

type project struct {
	path, webURL, defaultBranch string
	private                     bool
}

type pipeline struct {
	id, number             string
	ref, sha, source       string
	status, detailedStatus string
	url                    string
	tag                    bool
}

func (p *payload) kind() string { return field.Word(cmp.Or(p.objectKind, p.eventName)) }

// read reads a payload.
func read(text []byte) (payload, error) {
	var p payload
	s := jsonscan.New(text)
	for key := range s.Object(
		"object_kind", "event_name", "ref", "before", "after", "checkout_sha", "commits", "project", "repository", "project_name",
		"object_attributes", "merge_request", "commit", "tag", "sha", "build_id", "build_name", "build_status",
	) {
		p.readField(s, key)
	}
	if err := s.End(); err != nil {
		return payload{}, field.Unreadable(err)
	}
	return p, nil
}

func (p *payload) readField(s *jsonscan.Scanner, key string) {
	switch key {
	case "object_kind":
		p.objectKind = s.Text()
	case "event_name":
		p.eventName = s.Text()
	case "ref":
		p.ref = s.Text()
	case "before":
		p.before = s.Text()
	case "after":
		p.after = s.Text()
	case "checkout_sha":
		p.checkoutSHA = s.Text()
	case "commits":
		// GitLab sends the ids of the head before the list.
		p.commits = gitpush.ReadList(s, cmp.Or(p.checkoutSHA, p.after))
	case "project":
		p.hasProject = s.Kind() == jsonscan.Object
		p.project = readProject(s)
	case "repository":
		for range s.Object("homepage") {
			p.homepage = s.Text()
		}
	default:
		p.readBuildField(s, key)
	}
}

// readBuildField reads a field of a pipeline or a job.
func (p *payload) readBuildField(s *jsonscan.Scanner, key string) {
	switch key {
	case "project_name":
		p.projectName = s.Text()
	case "object_attributes":
		p.pipeline = readPipeline(s)
	case "merge_request":
		p.hasMergeRequest = s.Kind() == jsonscan.Object
		s.Skip()
	case "commit":
		p.commit, _ = gitpush.ReadCommit(s)
	case "tag":
		p.tag = s.Bool()
	case "sha":
		p.sha = s.Text()
	case "build_id":
		p.jobID = s.Word()
	case "build_name":
		p.name = s.Text()
	case "build_status":
		p.jobState = s.Text()
	}
}

func readProject(s *jsonscan.Scanner) (p project) {
	for key := range s.Object("path_with_namespace", "web_url", "default_branch", "visibility_level") {
		switch key {
		case "path_with_namespace":
			p.path = s.Text()
		case "web_url":
			p.webURL = s.Text()
		case "default_branch":
			p.defaultBranch = s.Text()
		case "visibility_level":
			level, known := s.Int() // 0 private, 10 internal, 20 public
			p.private = known && level < 20
		}
	}
	return p
}

// readPipeline reads the object_attributes of a pipeline.
func readPipeline(s *jsonscan.Scanner) (p pipeline) {
	for key := range s.Object("id", "iid", "ref", "tag", "sha", "source", "status", "detailed_status", "url") {
		switch key {
		case "id":
			p.id = s.Word()
		case "iid":
			p.number = s.Word()
		case "ref":
			p.ref = s.Text()
		case "tag":
			p.tag = s.Bool()
		case "sha":
			p.sha = s.Text()
		case "source":
			p.source = s.Text()
		case "status":
			p.status = s.Text()
		case "detailed_status":
			p.detailedStatus = s.Text()
		case "url":
			p.url = s.Text()
		}
	}
	return p
}
