package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// process is a program of the cluster that runs until it is ended.
type process struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
}

// run starts a program. Its output goes to a file that is named like it. change may
// be nil.
func (c *Cluster) run(ctx context.Context, name string, change func(*exec.Cmd), command ...string) (*process, error) {
	file, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // in the cluster's own folder
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // the program has its own
	// It is ended by kill, not with the context.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), command[0], command[1:]...) //nolint:gosec // as the cluster needs it
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, c.environment(), file, file
	if change != nil {
		change(cmd)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its state is in cmd
		close(p.exited)
	}()
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// kill ends the program and waits until it has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.exited
}

// programs returns the path of the programs of Kubernetes.
func programs(ctx context.Context) (string, error) {
	return output(ctx, filepath.Join("..", "..", "tools", "kube.sh"))
}

// output runs a command and returns what it prints, without the space around it.
func output(ctx context.Context, command ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // arguments of the cluster's own
	cmd.Env, cmd.Stderr = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin"), &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}
