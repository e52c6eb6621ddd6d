package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/cli"
)

// run runs a command line without a terminal or an environment.
func run(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Run(t.Context(), cli.IO{
		Args: args, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
	}, "v1.2.3")
	return code, out.String(), errs.String()
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	tests := map[string]struct {
		args []string
		code int
		says string // in stderr
	}{
		"unknown command":          {[]string{"sing"}, 2, `webhooks has no command "sing"`},
		"unknown command of users": {[]string{"users", "create", "dscape", "--data", data}, 2, `webhooks users has no command "create"`},
		"misspelled command":       {[]string{"stauts"}, 2, "did you mean status?"},
		"command of another":       {[]string{"env"}, 2, "did you mean `webhooks apps env`?"},
		"command of the program":   {[]string{"apps", "logs", "hello"}, 2, "did you mean `webhooks logs`?"},
		"misspelled below a group": {[]string{"apps", "env", "lst"}, 2, "did you mean list"},
		"short id":                 {[]string{"entry", "01"}, 2, "want 32 hex digits, as `webhooks status` prints them, or at least the first 4"},
		"unknown flag":             {[]string{"serve", "--frobnicate"}, 2, "unknown flag: --frobnicate; see `webhooks serve --help`"},
		"misspelled flag":          {[]string{"serve", "--lisen", ":1"}, 2, "unknown flag: --lisen; did you mean --listen?"},
		"unknown form of output":   {[]string{"config", "show", "--output", "xml"}, 2, `invalid form "xml": want text or json`},
		"argument of serve":        {[]string{"serve", "now"}, 2, "webhooks serve takes 0 arguments, not 1: webhooks serve"},
		"no name":                  {[]string{"users", "add"}, 2, "webhooks users add takes 1 argument, not 0: webhooks users add NAME"},
		"invalid setting":          {[]string{"serve", "--workers", "0"}, 2, "--workers: must be at least 1, not 0"},
		"no server":                {[]string{"users", "list", "--data", data}, 1, "start one by `webhooks serve`"},
		"no terminal":              {[]string{"users", "add", "dscape", "--data", data, "--platform-url", "http://127.0.0.1:1", "--platform-key-file", "/dev/null"}, 2, "--new-password-file"},
		"invalid name":             {[]string{"users", "add", "../x", "--data", data, "--platform-url", "http://127.0.0.1:1", "--platform-key-file", "/dev/null"}, 2, `invalid user name "../x"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, "", test.args...)
			if code != test.code || !strings.Contains(stderr, test.says) || !strings.HasPrefix(stderr, "webhooks: ") {
				t.Errorf("got code %d and %q, want %d and %q", code, stderr, test.code, test.says)
			}
			if stdout != "" {
				t.Errorf("a wrong call wrote %q to stdout", stdout)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, "", "version")
	if code != 0 || !strings.HasPrefix(stdout, "webhooks v1.2.3, commit ") || !strings.Contains(stdout, runtime.Version()) || stderr != "" {
		t.Errorf("code %d, %q and %q", code, stdout, stderr)
	}
	if code, stdout, _ := run(t, "", "version", "--output", "json"); code != 0 || !strings.Contains(stdout, `"version": "v1.2.3"`) {
		t.Errorf("code %d, %q", code, stdout)
	}
	code, stdout, _ = run(t, "", "--version")
	if code != 0 || stdout != "webhooks version v1.2.3\n" {
		t.Errorf("got code %d and %q", code, stdout)
	}
}

// Every command has a help text with examples.
func TestHelpHasExamples(t *testing.T) {
	t.Parallel()
	commands := [][]string{{}}
	for i := 0; i < len(commands); i++ {
		command := commands[i]
		code, stdout, stderr := run(t, "", append(slices.Clone(command), "--help")...)
		called := strings.TrimSpace("webhooks " + strings.Join(command, " "))
		if code != 0 || stderr != "" || !strings.Contains(stdout, "Examples:") || !strings.Contains(stdout, "  "+called) {
			t.Errorf("%s --help: code %d, %q and %q", called, code, stdout, stderr)
		}
		_, listed, _ := strings.Cut(stdout, "Available Commands:\n")
		listed, _, _ = strings.Cut(listed, "\n\n")
		for line := range strings.Lines(listed) {
			if name := strings.Fields(line)[0]; name != "help" {
				commands = append(commands, append(slices.Clone(command), name))
			}
		}
	}
	if len(commands) < 40 {
		t.Errorf("found only %d commands", len(commands))
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	if code, stdout, stderr := run(t, "", "config", "check", "--workers", "7"); code != 0 || stdout == "" {
		t.Errorf("config check: code %d, %q and %q", code, stdout, stderr)
	}
	if code, stdout, stderr := run(t, "", "config", "check", "--workers", "0"); code != 2 || stdout != "" || !strings.Contains(stderr, "--workers: must be at least 1, not 0") {
		t.Errorf("config check: code %d, %q and %q", code, stdout, stderr)
	}
	code, stdout, stderr := run(t, "", "config", "show", "--workers", "7")
	if code != 0 || !regexp.MustCompile(`(?m)^workers +7$`).MatchString(stdout) {
		t.Errorf("config show: code %d, %q and %q", code, stdout, stderr)
	}
	code, stdout, stderr = run(t, "", "config", "show", "--workers", "7", "--output", "json")
	if code != 0 || !strings.Contains(stdout, `"workers": "7"`) {
		t.Errorf("config show: code %d, %q and %q", code, stdout, stderr)
	}
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	if code, stdout, stderr := run(t, "", "keys", "list", "--seal-keys-file", path); code == 0 || stdout != "" || stderr == "" {
		t.Errorf("without a file: code %d, %q and %q", code, stdout, stderr)
	}
	for range 2 {
		if code, _, stderr := run(t, "", "keys", "rotate", "--seal-keys-file", path); code != 0 {
			t.Fatalf("got code %d and %q", code, stderr)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || strings.Count(string(text), "\n") != 2 {
		t.Errorf("%d lines, %v", strings.Count(string(text), "\n"), err)
	}
	code, stdout, stderr := run(t, "", "keys", "list", "--seal-keys-file", path)
	if code != 0 || strings.Count(stdout, "\n") != 2 || !strings.Contains(stdout, "  encrypts and decrypts\n") {
		t.Errorf("got code %d, %q and %q", code, stdout, stderr)
	}
	if strings.Contains(stdout, string(text[:20])) {
		t.Error("a key is shown")
	}
	if err := os.WriteFile(path, []byte("not a key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, "", "keys", "rotate", "--seal-keys-file", path); code == 0 || strings.Contains(stderr, "not a") {
		t.Errorf("a damaged file: code %d and %q", code, stderr)
	}
}
