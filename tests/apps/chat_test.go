package apps

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// happened is an event of a client of the chat.
type happened struct {
	Client  int
	Event   string // welcome, websocket, said, disconnect or error
	Version string // of the app
	Text    string
}

// chat is a process with two clients.
type chat struct {
	t     *testing.T
	in    io.Writer
	lines *bufio.Scanner
	log   bytes.Buffer // stderr; read it when the process has ended
	past  []happened
}

func (a *app) chat() *chat {
	a.t.Helper()
	dir := a.t.TempDir()
	for name, text := range example(a.t, "chat-client", nil) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.t.Context()), 2*patience)
	install := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund",
		"--no-update-notifier", "--cache", filepath.Join(dir, "cache"), "--registry", registry)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		a.t.Fatalf("installing the client: %v\n%s", err, out)
	}
	c := &chat{t: a.t}
	cmd := exec.CommandContext(ctx, "node", "client.js", "http://"+a.host(), a.s.apps)
	cmd.Dir, cmd.Stderr = dir, &c.log
	in, err := cmd.StdinPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	c.in, c.lines = in, bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() {
		defer cancel()
		_ = in.Close() // then it ends by itself
		if err := cmd.Wait(); err != nil || a.t.Failed() {
			a.t.Errorf("the clients: %v, after %v\n%s", err, c.past, c.log.Bytes())
		}
	})
	return c
}

// expect reads events until each of the wanted ones has happened, in any order. A
// wanted Version or Text of "" is any.
func (c *chat) expect(wanted ...happened) {
	c.t.Helper()
	for len(wanted) > 0 {
		if !c.lines.Scan() {
			c.t.Fatalf("the clients ended before %+v: %v", wanted, c.lines.Err())
		}
		var now happened
		if err := json.Unmarshal(c.lines.Bytes(), &now); err != nil {
			c.t.Fatalf("%v in %s", err, c.lines.Text())
		}
		c.past = append(c.past, now)
		for i, w := range wanted {
			if w.Client == now.Client && w.Event == now.Event && (w.Version == "" || w.Version == now.Version) && (w.Text == "" || w.Text == now.Text) {
				wanted = append(wanted[:i], wanted[i+1:]...)
				break
			}
		}
	}
}

// say makes each client say a text, which the other one must receive from the
// version.
func (c *chat) say(version, text string) {
	c.t.Helper()
	for client := range 2 {
		if _, err := fmt.Fprintf(c.in, "{\"client\":%d,\"text\":%q}\n", client, text); err != nil {
			c.t.Fatal(err)
		}
		c.expect(happened{1 - client, "said", version, text})
	}
}

func TestSocketIOChat(t *testing.T) {
	t.Parallel()
	a := create(t, shared, "chat")
	first := a.deploy(example(t, "chat", files{"version.txt": "1"}))
	c := a.chat()
	c.expect(happened{0, "welcome", "1", ""}, happened{1, "welcome", "1", ""}, happened{0, "websocket", "", ""}, happened{1, "websocket", "", ""})
	c.say("1", "hello")

	a.deploy(example(t, "chat", files{"version.txt": "2"}))
	a.answers("2")
	c.say("1", "still here") // connections have time to end
	c.expect(happened{0, "disconnect", "", ""}, happened{1, "disconnect", "", ""},
		happened{0, "welcome", "2", ""}, happened{1, "welcome", "2", ""}, happened{1, "websocket", "", ""})
	c.say("2", "here again")
	for _, h := range c.past {
		if h.Event == "error" {
			t.Errorf("client %d could not connect: %s", h.Client, h.Text)
		}
	}
	until(t, "the old version to end", func() bool { return len(a.processes(first)) == 0 })
}
