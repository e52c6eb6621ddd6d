package tests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/nodejitsu/webhooks/adapters/metrics"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
)

// metric is what a scrape says of a metric.
type metric struct {
	kind, help string
	labels     []string
}

// servedMetrics returns the metrics that a server serves which has done everything
// once, by name.
func servedMetrics(t *testing.T) map[string]metric {
	t.Helper()
	m := metrics.New("v1.2.3")
	m.Delivery(core.ProviderGitHub, core.EventPush, "", time.Second)
	m.Outcome(core.StatusOK, "", time.Second)
	m.Step(core.StepUpload, core.StepOK, time.Second)
	m.StoreCall("accept", time.Second, errors.New("away"))
	m.Request(http.MethodGet, "/healthz", http.StatusOK, time.Second)
	answer := httptest.NewRecorder()
	m.Handler(metrics.Readings{
		Backlog:     func(context.Context) (deploy.Backlog, error) { return deploy.Backlog{Ready: 1}, nil },
		ClockBehind: func() time.Duration { return time.Second },
		FeedReaders: func() int { return 1 },
		Drones:      func() metrics.Drones { return metrics.Drones{Apps: map[string]int{"started": 1}} },
		Disk:        func() metrics.Disk { return metrics.Disk{Free: 1, Used: 1} },
	}).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))

	found := map[string]metric{}
	help := regexp.MustCompile(`(?m)^# HELP (\S+) (.*)$`)
	sample := regexp.MustCompile(`(?m)^([a-z_]+)(?:\{(.*)\})? `)
	label := regexp.MustCompile(`([a-z]+)="`)
	page := answer.Body.String()
	for _, match := range help.FindAllStringSubmatch(page, -1) {
		_, kind, _ := strings.Cut(page, "# TYPE "+match[1]+" ")
		kind, _, _ = strings.Cut(kind, "\n")
		found[match[1]] = metric{kind: kind, help: match[2]}
	}
	for _, match := range sample.FindAllStringSubmatch(page, -1) {
		name := family(match[1], found)
		m := found[name]
		for _, l := range label.FindAllStringSubmatch(match[2], -1) {
			if l[1] != "le" && !slices.Contains(m.labels, l[1]) {
				m.labels = append(m.labels, l[1])
			}
		}
		found[name] = m
	}
	return found
}

// family returns the name of the metric of a series: those of a histogram have a
// suffix.
func family(series string, of map[string]metric) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name, cut := strings.CutSuffix(series, suffix)
		if cut && of[name].kind == "histogram" {
			return name
		}
	}
	return series
}

// ourMetrics are the names of those that are not the runtime's.
func ourMetrics(all map[string]metric) []string {
	var names []string
	for name := range all {
		if strings.HasPrefix(name, "webhooks_") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// The page for operators has a row for each metric.
func TestOperatingPageHasTheMetrics(t *testing.T) {
	t.Parallel()
	all := servedMetrics(t)
	var rows []string
	for _, name := range ourMetrics(all) {
		m := all[name]
		labels := ""
		if len(m.labels) > 0 {
			slices.Sort(m.labels)
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", name, m.kind, labels, m.help))
	}
	page, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `webhooks_") {
			got = append(got, strings.TrimSuffix(line, "\n"))
		}
	}
	if !slices.Equal(got, rows) {
		t.Errorf("the table of docs/operating.md must be:\n%s", strings.Join(rows, "\n"))
	}
}

// named matches the metrics that an expression names.
var named = regexp.MustCompile(`\b(?:webhooks|process|go)_[a-z_]+\b`)

// wantNamed requires that the metrics of an expression exist, and that it has some.
func wantNamed(t *testing.T, where, expression string, all map[string]metric) {
	t.Helper()
	names := named.FindAllString(expression, -1)
	if len(names) == 0 {
		t.Errorf("%s names no metric: %q", where, expression)
	}
	for _, name := range names {
		if m := all[family(name, all)]; m.kind == "" {
			t.Errorf("%s: there is no metric %s", where, name)
		}
	}
	if strings.Count(expression, "(") != strings.Count(expression, ")") || strings.Count(expression, "{") != strings.Count(expression, "}") {
		t.Errorf("%s: unbalanced brackets in %q", where, expression)
	}
}

// The dashboard is one that Grafana imports, and asks for metrics that exist. Each
// of ours is on it.
func TestDashboard(t *testing.T) {
	t.Parallel()
	all := servedMetrics(t)
	text, err := os.ReadFile("../adapters/metrics/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	var shown strings.Builder
	for _, p := range dashboard.Panels {
		if p.Title == "" || p.Type == "" || ids[p.ID] || len(p.Targets) == 0 {
			t.Errorf("panel %d %q has no title, type or target, or another's id", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			wantNamed(t, p.Title, target.Expr, all)
			shown.WriteString(target.Expr + "\n")
		}
	}
	for _, name := range ourMetrics(all) {
		if !strings.Contains(shown.String(), name) {
			t.Errorf("no panel shows %s", name)
		}
	}
}

// The alert rules are those of Prometheus, and name metrics that exist.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	all := servedMetrics(t)
	text, err := os.ReadFile("../adapters/metrics/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, group := range rules.Groups {
		for _, r := range group.Rules {
			seen++
			wantNamed(t, r.Alert, r.Expr, all)
			if r.For != "" {
				if _, err := time.ParseDuration(r.For); err != nil {
					t.Errorf("%s: %v", r.Alert, err)
				}
			}
			if r.Alert == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("rule %q has no severity, summary or description", r.Alert)
			}
		}
	}
	if seen == 0 {
		t.Error("there are no rules")
	}
}
