package app_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.uber.org/fx"
	"go.uber.org/zap"

	"github.com/nodejitsu/webhooks/tools/webhooks/internal/app"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/sockets"
)

// settings returns those of args, on a data folder and ports of the test's own.
func settings(t *testing.T, args ...string) config.Config {
	t.Helper()
	// Not t.TempDir: the apps' own users must be able to pass through it.
	dir, err := os.MkdirTemp("", "webhooks-app-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	set := pflag.NewFlagSet("", pflag.ContinueOnError)
	settings := config.Declare(set)
	err = set.Parse(append([]string{
		"--data", dir, "--listen", "127.0.0.1:0", "--platform-listen", "127.0.0.1:0", "--apps-listen", "127.0.0.1:0",
	}, args...))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := settings.Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// What each role needs is provided, whatever the settings choose.
func TestGraph(t *testing.T) {
	t.Parallel()
	key := t.TempDir() + "/key"
	if err := os.WriteFile(key, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		role app.Role
		args []string
	}{
		"serve":                   {app.RoleServe, nil},
		"serve, another platform": {app.RoleServe, []string{"--platform-url", "http://127.0.0.1:1", "--platform-key-file", key}},
		"platform":                {app.RolePlatform, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fail context.CancelCauseFunc = func(error) {}
			if err := fx.ValidateApp(app.Options(test.role, settings(t, test.args...), zap.NewNop(), &sockets.Sockets{}, nil), fx.Supply(fail)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The real graph starts, prints its addresses, answers, and stops without leaving
// anything behind.
func TestRun(t *testing.T) {
	t.Parallel()
	for role, announced := range map[app.Role]int{app.RoleServe: 3, app.RolePlatform: 2} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			cfg := settings(t)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			out, in := io.Pipe()
			var log bytes.Buffer
			ended := make(chan int, 1)
			go func() {
				ended <- app.Run(ctx, role, cfg, in, &log)
				_ = in.Close() // a pipe's Close can't fail
			}()
			addresses := map[string]string{}
			lines := bufio.NewScanner(out)
			for len(addresses) < announced && lines.Scan() {
				name, address, _ := strings.Cut(lines.Text(), " ")
				addresses[name] = strings.TrimSpace(address)
			}
			if len(addresses) < announced {
				t.Fatalf("only %v was announced; the log: %s", addresses, log.String())
			}
			probe := addresses["platform"] + "/auth"
			want := http.StatusUnauthorized
			if role == app.RoleServe {
				probe, want = addresses["webhooks"]+"/readyz", http.StatusOK
			}
			if got := status(t, probe); got != want {
				t.Errorf("%s answers %d, want %d", probe, got, want)
			}
			if text, err := os.ReadFile(cfg.PlatformURLFile()); err != nil || string(text) != addresses["platform"]+"\n" {
				t.Errorf("other commands find %q, %v", text, err)
			}
			stop()
			if code := <-ended; code != 0 {
				t.Errorf("got exit code %d; the log: %s", code, log.String())
			}
			if _, err := os.Stat(cfg.PlatformURLFile()); !os.IsNotExist(err) {
				t.Errorf("the file with the platform's URL still exists: %v", err)
			}
		})
	}
}

// A start that fails says in one line what failed, and leaves nothing behind
// that would keep the next from starting.
func TestRunFails(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // not deferred: the subtests run after this function
	for _, setting := range []string{"listen", "platform-listen", "apps-listen"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			// Without log lines of the parts that have started.
			cfg := settings(t, "--"+setting, taken.Addr().String(), "--log-level", "error")
			var out, log bytes.Buffer
			for range 2 {
				log.Reset()
				if code := app.Run(t.Context(), app.RoleServe, cfg, &out, &log); code != 1 {
					t.Fatalf("got exit code %d", code)
				}
				said := log.String()
				if strings.Count(said, "\n") != 1 || !strings.Contains(said, "address already in use") || !strings.HasPrefix(said, "webhooks: ") {
					t.Errorf("got %q", said)
				}
			}
		})
	}
}

func status(t *testing.T, url string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		t.Error(err)
	}
	return response.StatusCode
}
