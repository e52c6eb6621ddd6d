package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodejitsu/webhooks/deployer/platform/applog"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
)

// Limits of logs.
const (
	detailLimit = 15 * time.Second // for reading the last lines of a pod
	detailLines = 50
	maxLine     = 64 << 10 // bytes of a line
	logPause    = 250 * time.Millisecond
	recentLines = 2000 // among which lines are looked for that have been written already
)

// source identifies the process whose output the lines of a pod are.
type source struct {
	process string
	drone   int
	mask    *applog.Mask
	write   func(...runner.Line)
}

// line returns a line of the log.
func (s source) line(at time.Time, text string) runner.Line {
	text = s.mask.Apply(strings.ToValidUTF8(strings.TrimSuffix(text, "\r"), "\ufffd"))
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "")
	}
	return runner.Line{Time: at.UTC(), Process: s.process, Drone: s.drone, Stream: runner.Stdout, Text: text}
}

// followers copy the output of pods to the logs of their apps and commands, because a
// cluster deletes it with the pod.
type followers struct {
	runner *Runner

	mu   sync.Mutex
	pods map[string]*follower // by uid
}

// follower copies the output of one pod, of one container after the other.
type follower struct {
	app    *application
	source source
	name   string
	last   time.Time     // of the last line
	known  map[line]bool // lines that an earlier platform has written
	done   chan struct{} // closed when the pod is gone, or its command has ended, and all was copied

	mu      sync.Mutex
	pod     *corev1.Pod
	gone    bool
	changed chan struct{} // size 1
}

type line struct {
	at   int64
	text string
}

// follow begins to copy the output of a pod, or notifies its follower of a change. It
// returns the follower, or nil if the pod has none.
func (f *followers) follow(a *application, p *corev1.Pod, gone bool, s *source) *follower {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.pods[string(p.UID)]
	switch {
	case one == nil && (gone || s == nil):
		return nil
	case one == nil:
		one = &follower{app: a, source: *s, name: p.Name, pod: p, done: make(chan struct{}), changed: make(chan struct{}, 1)}
		f.pods[string(p.UID)] = one
		f.runner.background(func() {
			defer close(one.done)
			one.run(f.runner.ctx)
		}, func() { close(one.done) })
		return one
	case gone:
		delete(f.pods, string(p.UID))
	}
	one.mu.Lock()
	one.pod, one.gone = p, gone
	one.mu.Unlock()
	select {
	case one.changed <- struct{}{}:
	default:
	}
	return one
}

// run copies the output until the pod is gone.
func (f *follower) run(ctx context.Context) {
	seen := map[string]bool{} // containers whose output was copied
	for {
		f.mu.Lock()
		p, gone := f.pod, f.gone
		f.mu.Unlock()
		s := status(p)
		before := s.LastTerminationState.Terminated
		ends := s.State.Terminated != nil
		switch {
		case before != nil && before.ContainerID != "" && !seen[before.ContainerID]:
			if !gone {
				f.copy(ctx, url.Values{"previous": {"true"}})
			}
			seen[before.ContainerID] = true
			continue
		case s.ContainerID != "" && !seen[s.ContainerID] && (s.State.Running != nil || ends) && !gone:
			complete := f.copy(ctx, url.Values{"follow": {"true"}})
			if ends && complete {
				seen[s.ContainerID] = true
				continue
			}
		case gone || ends && p.Spec.RestartPolicy == corev1.RestartPolicyNever:
			return
		default:
			select {
			case <-f.changed:
			case <-ctx.Done():
				return
			}
			continue
		}
		// The container has ended, which will be reported, or the connection was lost.
		pause := time.NewTimer(logPause)
		select {
		case <-f.changed:
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
		pause.Stop()
	}
}

// copy copies the output of a container that is not copied yet, and reports whether it
// has got to its end.
func (f *follower) copy(ctx context.Context, query url.Values) (complete bool) {
	query.Set("container", container)
	query.Set("timestamps", "true")
	f.recall()
	if !f.last.IsZero() {
		query.Set("sinceTime", f.last.Format(time.RFC3339))
	}
	body, err := f.app.runner.api.open(ctx, request{method: http.MethodGet, path: pods.path(f.app.namespace, f.name) + "/log", query: query})
	if err != nil {
		return notFound(err) || hasCode(err, http.StatusBadRequest) // it is gone
	}
	defer body.Close() //nolint:errcheck // only read
	reader := bufio.NewReaderSize(body, maxLine)
	for {
		text, more, err := readLine(reader)
		if at, rest, found := strings.Cut(text, " "); found {
			f.write(at, rest)
		}
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		for more { // the rest of a line that is too long
			if _, more, err = readLine(reader); err != nil {
				return errors.Is(err, io.EOF)
			}
		}
	}
}

// readLine returns the next line, at most as much of it as the buffer has.
func readLine(r *bufio.Reader) (text string, more bool, err error) {
	part, err := r.ReadSlice('\n')
	more = errors.Is(err, bufio.ErrBufferFull)
	if more {
		err = nil
	}
	return string(bytes.TrimSuffix(part, []byte{'\n'})), more, err
}

// write writes a line, unless it was written before: what has been copied is asked for
// by whole seconds.
func (f *follower) write(at, text string) {
	when, err := time.Parse(time.RFC3339Nano, at)
	if err != nil || !when.After(f.last) && len(f.known) == 0 {
		return
	}
	l := f.source.line(when, text)
	if f.known[line{l.Time.UnixNano(), l.Text}] {
		return
	}
	f.last = when
	f.source.write(l)
}

// recall looks which lines of a pod that was there before this platform have been
// written by an earlier one. All before them were.
func (f *follower) recall() {
	if f.known != nil || !f.last.IsZero() {
		f.known = map[line]bool{}
		return
	}
	f.known = map[line]bool{}
	lines, err := f.app.journal.Last(time.Time{}, time.Time{}, recentLines)
	if err != nil || len(lines) == 0 {
		return
	}
	for _, l := range lines {
		f.known[line{l.Time.UnixNano(), l.Text}] = true
	}
	f.mu.Lock()
	created := f.pod.CreationTimestamp.Time
	f.mu.Unlock()
	if oldest := lines[0].Time; len(lines) == recentLines && oldest.After(created) {
		f.last = oldest
	}
}

// lastLines returns the last lines of a container of a pod, with its secrets hidden: of
// the one that has ended so, or if end is nil, of the one that runs. It returns "" if
// they can't be read.
func (a *application) lastLines(ctx context.Context, mask *applog.Mask, pod string, end *corev1.ContainerStateTerminated) string {
	if pod == "" {
		return ""
	}
	lines := a.output(ctx, pod, false)
	if end != nil && !of(lines, end) {
		// It has been replaced, or has written nothing.
		if before := a.output(ctx, pod, true); of(before, end) {
			lines = before
		}
	}
	var text strings.Builder
	for _, l := range lines {
		_, line, _ := strings.Cut(l, " ")
		text.WriteString(line)
	}
	return strings.TrimSuffix(mask.Apply(strings.ToValidUTF8(text.String(), "\ufffd")), "\n")
}

// of reports whether lines, with their times, are of a container that has ended so.
func of(lines []string, end *corev1.ContainerStateTerminated) bool {
	if len(lines) == 0 {
		return false
	}
	first, _, _ := strings.Cut(lines[0], " ")
	at, err := time.Parse(time.RFC3339Nano, first)
	// The times of a state are whole seconds.
	return err == nil && !at.Before(end.StartedAt.Time) && at.Before(end.FinishedAt.Add(time.Second))
}

// output reads the last lines of the container of a pod, or of the one before it, with
// their times.
func (a *application) output(ctx context.Context, pod string, previous bool) []string {
	query := url.Values{"container": {container}, "tailLines": {strconv.Itoa(detailLines)}, "timestamps": {"true"}}
	if previous {
		query.Set("previous", "true")
	}
	for {
		body, err := a.runner.api.open(ctx, request{method: http.MethodGet, path: pods.path(a.namespace, pod) + "/log", query: query})
		if err != nil {
			return nil
		}
		read, err := io.ReadAll(io.LimitReader(body, 1<<20))
		_ = body.Close() // only read
		if err != nil {
			return nil
		}
		text := string(read)
		if !strings.HasPrefix(text, "unable to retrieve container logs") { // as the kubelet has it of a container that it is replacing
			return slices.Collect(strings.Lines(text))
		}
		pause := time.NewTimer(logPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil
		}
	}
}
