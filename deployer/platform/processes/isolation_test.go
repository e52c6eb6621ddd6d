package processes_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/deployer/platform/processes"
	"github.com/nodejitsu/webhooks/deployer/platform/runner"
	"github.com/nodejitsu/webhooks/deployer/platform/startup"
)

// commandResult is the result of a command of an app.
type commandResult struct {
	Code int    `json:"code"`
	Text string `json:"text"`
}

// try runs a shell command as an app that runs shell.js.
func (b *fixture) try(app, command string) commandResult {
	b.t.Helper()
	var got commandResult
	decode(b.t, b.get(app, "/run?command="+url.QueryEscape(command)), &got)
	return got
}

// must runs a shell command as an app and returns what it wrote.
func (b *fixture) must(app, command string) string {
	b.t.Helper()
	got := b.try(app, command)
	if got.Code != 0 {
		b.t.Fatalf("%s: %q exits with %d: %s", app, command, got.Code, got.Text)
	}
	return strings.TrimSpace(got.Text)
}

// neighbours starts two apps, each in a folder of its own that was built for
// it, and each with a secret in its home, its environment and its folder.
func neighbours(t *testing.T) *fixture {
	t.Helper()
	b := setup(t, processes.Options{})
	for _, name := range []string{"one", "two"} {
		spec := b.app(name, "shell.js")
		spec.Env = map[string]string{"SECRET": "canary-" + name}
		as, err := b.Credential("me", name)
		if err != nil {
			t.Fatal(err)
		}
		if as != nil { // as after a build
			for _, path := range []string{spec.Dir, filepath.Join(spec.Dir, "shell.js")} {
				if err := os.Chown(path, int(as.Uid), int(as.Gid)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(spec.Dir, 0o700); err != nil { //nolint:gosec // a folder
				t.Fatal(err)
			}
		}
		b.mustSwitch(spec)
		b.must(name, `echo canary > "$HOME/secret"; echo canary > "$TMPDIR/secret"; echo canary > secret`)
	}
	return b
}

// An app with its own user cannot access other apps, the server or the system.
func TestAppsAreIsolated(t *testing.T) {
	t.Parallel()
	b := neighbours(t)
	server := filepath.Join(b.dir, "drones")
	pid := b.must("two", "echo $PPID")
	home, tmp, folder := b.must("two", "echo $HOME"), b.must("two", "echo $TMPDIR"), b.must("two", "pwd")
	refused := []string{
		// The server's own files.
		"cat " + server + "/state.json", "ls " + server, "ls " + server + "/logs", "touch " + server + "/lock",
		"cat " + server + "/logs/me/one/log", "ls " + server + "/homes/me", "touch " + server + "/homes/me/one/x",
		// The other app's files, and replacing them or the app's own folders by links.
		"cat " + home + "/secret", "cat " + tmp + "/secret", "cat " + folder + "/secret", "cat " + folder + "/shell.js",
		"ls " + home, "touch " + home + "/x", "touch " + tmp + "/x", "touch " + folder + "/x",
		"rm -rf " + folder + " && test ! -e " + folder, `mv "$HOME" "$HOME.away"`, `rmdir "$TMPDIR" || rm -rf "$TMPDIR" && test ! -e "$TMPDIR"`,
		// The system's files.
		"test -w /", "test -w /etc", "test -w /usr/local/bin", "cat /etc/shadow",
	}
	// The processes of the other app, and of the server.
	for _, other := range []string{pid, fmt.Sprint(os.Getpid())} {
		refused = append(refused, "kill -0 "+other, "cat /proc/"+other+"/environ", "ls /proc/"+other+"/fd",
			"ls /proc/"+other+"/cwd/", "head -c 1 /proc/"+other+"/mem", "cat /proc/"+other+"/maps | grep .",
			"echo 1000 > /proc/"+other+"/oom_score_adj")
	}
	if os.Getuid() != 0 {
		// All apps run as the same user and are not isolated, as the README documents.
		if got := b.must("one", "id -u"); got != fmt.Sprint(os.Getuid()) {
			t.Errorf("an app runs as uid %s", got)
		}
		if got := b.must("one", "tr '\\0' '\\n' < /proc/"+pid+"/environ | grep SECRET"); got != "SECRET=canary-two" {
			t.Errorf("an app of the same user sees %q of the other's environment", got)
		}
		return
	}
	for _, command := range refused {
		if got := b.try("one", command); got.Code == 0 || strings.Contains(got.Text, "canary") {
			t.Errorf("an app may %q: exits with %d: %s", command, got.Code, got.Text)
		}
	}
	if got := b.must("two", `cat secret "$HOME/secret" "$TMPDIR/secret"`); got != "canary\ncanary\ncanary" {
		t.Errorf("the other app has %q", got)
	}
}

// Each app has its own folders and no privileges, whatever user the server runs as.
func TestAppsHaveOwnFolders(t *testing.T) {
	t.Parallel()
	b := neighbours(t)
	for _, path := range []string{"secret", `"$HOME/secret"`, `"$TMPDIR/secret"`} {
		if got := b.must("one", "cat "+path+"; stat -c %a "+path); got != "canary\n600" {
			t.Errorf("%s: %q", path, got)
		}
	}
	if one, two := b.must("one", "echo $HOME $TMPDIR"), b.must("two", "echo $HOME $TMPDIR"); one == two {
		t.Errorf("both apps have %s", one)
	}
	status := b.must("one", "cat /proc/self/status")
	mention(t, status, "NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n", "CapAmb:\t0000000000000000\n")
	if got := b.try("one", "unshare -U true"); got.Code == 0 || !strings.Contains(got.Text, "not permitted") {
		t.Errorf("an app that makes a user namespace exits with %d: %s", got.Code, got.Text)
	}
	// The app inherits no open file of the server: its own are pipes, sockets and
	// devices.
	for file := range strings.FieldsSeq(b.must("one", "for fd in /proc/$PPID/fd/*; do readlink $fd; done")) {
		if strings.Contains(file, b.dir) {
			t.Errorf("an app has %s open", file)
		}
	}
}

// The set-user-ID bit of programs has no effect.
func TestSetUserIDIsOff(t *testing.T) {
	t.Parallel()
	b := neighbours(t)
	program, err := os.ReadFile("/usr/bin/id")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(b.dir, "id")
	if err := os.WriteFile(path, program, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o755|os.ModeSetuid); err != nil { //nolint:gosec // needed for the test
		t.Fatal(err)
	}
	if got, want := b.must("one", path+" -u"), b.must("one", "id -u"); got != want {
		t.Errorf("an app with uid %s becomes uid %s", want, got)
	}
}

// Apps can use their folders if the server has a strict umask.
func TestAppsHaveOwnFoldersWithAnyUmask(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{})
	server, addr := b.serve(b.app("app", "shell.js"), "0077")
	resp, done := b.openAt(addr, "/run?command="+url.QueryEscape(`cd "$HOME" && touch x && cd "$TMPDIR" && touch x`), func() {})
	var got commandResult
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	done()
	if got.Code != 0 {
		t.Errorf("the app can't use its folders: %s", got.Text)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // it was killed
	b.start()         // ends the processes that it left
}

// A process that has left the group and removed the mark is found by its user even
// after the server was killed.
func TestServerIsKilledWithHiddenProcess(t *testing.T) {
	t.Parallel()
	b := prepare(t, processes.Options{})
	server, addr := b.serve(b.app("app", "shell.js"), "0022")
	resp, done := b.openAt(addr, "/run?command="+url.QueryEscape(`env -i PATH="$PATH" setsid sleep 1003 >/dev/null 2>&1 & echo $!`), func() {})
	var got commandResult
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	done()
	pid := atoi(t, got.Text)
	// Until it has become sleep it has the shell's mark.
	for command := ""; !strings.HasPrefix(command, "sleep\x00"); {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err != nil {
			t.Fatal(err)
		}
		command = string(text)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait() // it was killed
	b.start()
	if os.Getuid() != 0 {
		// Without its own user it can't be distinguished from other processes.
		if runs(pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return
	}
	if runs(pid) {
		t.Errorf("pid %d is left", pid)
	}
}

// The user of a destroyed app is not assigned to the next app.
func TestUsersAreNotReused(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	var last *syscall.Credential
	for _, name := range []string{"one", "two", "one"} {
		as, err := b.Credential("me", name)
		if err != nil {
			t.Fatal(err)
		}
		if os.Getuid() != 0 {
			if as != nil {
				t.Errorf("an app gets user %d from a server that can't change it", as.Uid)
			}
			continue
		}
		if as.Uid < 50_000 || as.Uid >= 60_000 || last != nil && as.Uid == last.Uid {
			t.Errorf("an app gets user %d after %v", as.Uid, last)
		}
		last = as
		if err := b.Destroy(t.Context(), "me", name); err != nil {
			t.Fatal(err)
		}
	}
}

// A fork bomb is limited to the allowed number of processes, does not affect other
// apps, and can be ended.
func TestForkBombIsBounded(t *testing.T) {
	t.Parallel()
	const most = 60
	b := setup(t, processes.Options{Processes: most, Grace: time.Second})
	b.mustSwitch(b.app("quiet", "serve.js"))
	_ = b.app("bomb", "bomb.js") // adds bomb.js to the app's folder
	spec := b.app("bomb", "shell.js")
	b.mustSwitch(spec)
	if os.Getuid() != 0 {
		// The limit counts all processes of a user, so there can be none on the
		// server's own.
		own, err := os.ReadFile("/proc/self/limits")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(own)) {
			if strings.HasPrefix(line, "Max processes") {
				mention(t, b.must("bomb", "cat /proc/self/limits")+"\n", line)
			}
		}
		return
	}
	uid := b.must("bomb", "id -u")
	pid := b.report("quiet").Pid
	b.must("bomb", spec.Node+" bomb.js >/dev/null 2>&1 &")
	for b.tasks(uid) < most-15 { // another node process with its threads may exceed the limit
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		if n := b.tasks(uid); n > most {
			t.Errorf("the app has %d processes and threads", n)
		}
		if got := b.report("quiet").Pid; got != pid {
			t.Errorf("the other app has pid %d, before %d", got, pid)
		}
	}
	if err := b.Halt(t.Context(), "me", "bomb"); err != nil {
		t.Fatal(err)
	}
	if n := b.tasks(uid); n != 0 {
		t.Errorf("%d processes and threads are left", n)
	}
}

// tasks returns how many processes and threads the user has, zombies included.
func (b *fixture) tasks(uid string) int {
	b.t.Helper()
	statuses, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		b.t.Fatal(err)
	}
	n := 0
	for _, path := range statuses {
		status, err := os.ReadFile(path) //nolint:gosec // of /proc
		if err != nil || !strings.Contains(string(status), "\nUid:\t"+uid+"\t") {
			continue
		}
		_, rest, _ := strings.Cut(string(status), "\nThreads:\t")
		threads, _, _ := strings.Cut(rest, "\n")
		n += atoi(b.t, threads)
	}
	return n
}

func TestOpenFilesAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Files: 200})
	b.mustSwitch(b.app("app", "shell.js"))
	var got commandResult
	decode(t, b.get("app", "/files"), &got)
	if got.Text != "EMFILE" || got.Code < 100 || got.Code > 200 {
		t.Errorf("%d files were opened, then %s", got.Code, got.Text)
	}
	if got := b.get("app", "/"); got != "serving\n" {
		t.Errorf("got response %q", got)
	}
	if got := b.try("app", "ulimit -n 201"); got.Code == 0 {
		t.Error("an app may raise its limit")
	}
}

// An app that leaks memory is restarted, and its log has the limit that it reached;
// other apps are not affected.
func TestLeakIsEnded(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Memory: 400 << 20, Backoff: time.Millisecond})
	b.mustSwitch(b.app("quiet", "serve.js"))
	pid := b.report("quiet").Pid
	b.mustSwitch(b.app("leak", "leak.js"))
	got := b.await("leak", func(s runner.State) bool { return s.Restarts >= 2 })
	const limit = "the limit is 400 MiB; raise it by `webhooks apps limits`"
	mention(t, got.Reason, "drone 1 ", limit)
	mention(t, b.text("leak"), "platform: drone 1 ", limit, "it starts again in 1ms", "it starts again in 2ms", "stderr: taking memory")
	if again := b.report("quiet").Pid; again != pid {
		t.Errorf("the other app has pid %d, before %d", again, pid)
	}
}

// The processes of a drone have the limit together, with control groups or without.
func TestMemoryOfADrone(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Memory: 300 << 20, Backoff: time.Millisecond})
	spec := b.app("app", "serve.js")
	spec.Start = "node serve.js & head -c 200000000 /dev/zero | tail -n 1 | sleep 1000 & head -c 200000000 /dev/zero | tail -n 1 | sleep 1000 & wait"
	b.mustSwitch(spec)
	got := b.await("app", func(s runner.State) bool { return s.Restarts >= 1 })
	mention(t, got.Reason, "needed more memory than an app may have", "the limit is 300 MiB; raise it by `webhooks apps limits`")
}

// An app may have other limits than the runner's.
func TestLimitsOfAnApp(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	spec := b.app("app", "shell.js")
	spec.Limits = runner.Limits{Memory: 256 << 20, Processes: 100}
	b.mustSwitch(spec)
	if got := b.must("app", "ulimit -d"); got != strconv.FormatInt(startup.DataLimit(256<<20, spec.NodeVersion)>>10, 10) {
		t.Errorf("it may have %s KiB of data", got)
	}
	if got := b.must("app", "echo $NODE_OPTIONS"); got != startup.NodeOptions("", 256<<20, spec.NodeVersion) {
		t.Errorf("NODE_OPTIONS is %q", got)
	}
	if got := b.must("app", "ulimit -p 2>/dev/null || ulimit -u"); os.Getuid() == 0 && got != "100" {
		t.Errorf("it may have %s processes", got)
	}
	other := b.app("other", "shell.js")
	b.mustSwitch(other)
	if got := b.must("other", "ulimit -d"); got != strconv.FormatInt(startup.DataLimit(1<<30, spec.NodeVersion)>>10, 10) {
		t.Errorf("another app may have %s KiB of data", got)
	}
}

// Node.js gets a heap limit, so that it collects garbage before allocations fail:
// an app whose live data fits keeps running.
func TestNodeHasHeapLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{Memory: 400 << 20})
	for options, want := range map[string]string{
		"": "300", "--trace-warnings": "300", "--max-old-space-size=123": "123", "--max_old_space_size=123": "123",
	} {
		spec := b.app("app", "shell.js")
		if options != "" {
			spec.Env = map[string]string{"NODE_OPTIONS": options}
		}
		b.mustSwitch(spec)
		const limit = `node -e 'const v8 = require("v8"); const s = v8.getHeapStatistics(); console.log(Math.round(s.heap_size_limit / 2**20))'`
		got, expected := atoi(t, b.must("app", limit)), atoi(t, want)
		if got < expected || got > expected+64 { // V8 adds the young generation
			t.Errorf("with NODE_OPTIONS=%q the heap may have %d MiB, want %d", options, got, expected)
		}
	}
	churn := b.app("churn", "churn.js")
	b.mustSwitch(churn)
	for range 60 {
		if got := b.get("churn", "/"); got != "ok\n" {
			t.Fatalf("got response %q", got)
		}
	}
	if got := b.State("me", "churn"); got.Restarts > 0 {
		t.Errorf("state %+v", got)
	}
}

// If the machine runs out of memory, the kernel kills apps and their child
// processes before the server.
func TestAppsAreKilledFirst(t *testing.T) {
	t.Parallel()
	b := setup(t, processes.Options{})
	for name, start := range map[string]string{"script": "shell.js", "command": "node shell.js", "shell": "true && node shell.js"} {
		spec := b.app(name, "shell.js")
		spec.Start = start
		b.mustSwitch(spec)
		if got := b.must(name, "cat /proc/$PPID/oom_score_adj /proc/self/oom_score_adj"); got != "1000\n1000" {
			t.Errorf("%s: oom_score_adj is %q", name, got)
		}
	}
}
