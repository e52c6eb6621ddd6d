package redis

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts
var files embed.FS

// scripts returns the scripts by name. go-redis sends a script's digest, and its
// text if Redis does not know the digest.
func scripts() map[string]*redis.Script {
	read := func(name string) string {
		text, err := files.ReadFile("scripts/" + name + ".lua")
		if err != nil {
			panic(err) // the scripts are embedded
		}
		return string(text)
	}
	all := map[string]*redis.Script{}
	for _, name := range []string{
		"accept", "save", "claim", "claimapp", "renew", "find", "bycommit", "entries", "changes", "bounds",
		"outboxadd", "outboxdone", "outboxclaim", "probe", "sweep", "backlog",
	} {
		all[name] = redis.NewScript(read("common") + read(name))
	}
	return all
}

// base is the prefix of all keys. Its braces are the hash tag.
func (s *Store) base() string { return "{" + s.o.Prefix + "}:" }

// keys are the keys that scripts declare: two, one of which never exists. While a
// slot is moved, a node of a Cluster that has only some of its keys then refuses the
// script with TRYAGAIN. A script that declares one key would be run on the keys that
// the node has.
func (s *Store) keys() []string { return []string{s.base(), s.base() + "epoch"} }

// call runs a script, within the CallTimeout.
func (s *Store) call(ctx context.Context, script string, args ...any) (*reply, error) {
	r, err := s.run(ctx, script, args...)
	if err != nil && !expired(ctx) {
		s.suspect()
	}
	return r, err
}

// expired reports whether ctx has ended or its deadline has passed. A connection has the
// same deadline, and may report it a moment before the context does.
func expired(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(deadline)
}

// run is call without a probe after a failure. Redis refuses it after its deadline.
func (s *Store) run(ctx context.Context, script string, args ...any) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.CallTimeout)
	defer cancel()
	ends, _ := ctx.Deadline()
	r, err := s.send(ctx, ends, script, args...)
	if !redis.HasErrorPrefix(err, late) || expired(ctx) {
		return r, err
	}
	// Not by our clock: that of Redis was set, or another has become the master.
	if _, failed := s.counted(ctx); failed != nil {
		return r, err
	}
	return s.send(ctx, ends, script, args...)
}

// late begins the error of a script for a call whose deadline has passed.
const late = "LATE"

// send runs a script. Redis refuses it after ends, by its own clock if that is known;
// the zero time means never.
func (s *Store) send(ctx context.Context, ends time.Time, script string, args ...any) (*reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	asked, now := s.now().UnixMicro(), int64(0)
	if s.o.Now != nil {
		now = asked
	}
	all := append([]any{now, s.o.MaxChanges, s.o.KeepEntries.Milliseconds(), asked, s.theirs.at(ends)}, args...)
	value, err := s.scripts[script].Run(ctx, s.client, s.keys(), all...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, err
	}
	return &reply{value: value, packer: s.packer}, nil
}

// reply parses the result of a script. Values of a wrong type are zero, and set err.
type reply struct {
	value  any
	packer *packer
	err    error
}

// list is a list of values.
type list struct {
	r      *reply
	values []any
}

func (r *reply) list() list { return r.asList(r.value) }

func (r *reply) asList(value any) list {
	values, ok := value.([]any)
	if !ok && value != nil {
		r.err = fmt.Errorf("redis: a script returned %T, want a list", value)
	}
	return list{r, values}
}

// value is one value.
type value struct {
	r *reply
	v any
}

func (l list) at(i int) value {
	if i >= len(l.values) {
		l.r.err = fmt.Errorf("redis: a script returned a list of length %d", len(l.values))
		return value{l.r, nil}
	}
	return value{l.r, l.values[i]}
}

func (v value) list() list { return v.r.asList(v.v) }

func (v value) text() string {
	switch text := v.v.(type) {
	case string:
		return text
	case int64:
		return strconv.FormatInt(text, 10)
	case nil:
		return ""
	}
	v.r.err = fmt.Errorf("redis: a script returned %T, want a string", v.v)
	return ""
}

func (v value) number() int64 {
	text := v.text()
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		v.r.err = fmt.Errorf("redis: a script returned an invalid number: %w", err)
	}
	return n
}
