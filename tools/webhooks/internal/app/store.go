package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"github.com/nodejitsu/webhooks/adapters/bolt"
	"github.com/nodejitsu/webhooks/adapters/redis"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// store is what keeps entries, queue and changes.
type store interface {
	deploy.Store
	deploy.Queue
	status.Log
	status.Feed // and so deploy.Watcher
	Outbox() deploy.Outbox
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Check(ctx context.Context) error
	ClockBehind() time.Duration
}

// storeModule provides the ports that keep things: in Redis where the settings
// name one, else in a file.
func storeModule(cfg config.Config) fx.Option {
	return fx.Module("store",
		fx.Provide(
			fx.Annotate(
				func(log *slog.Logger) (store, error) { return newStore(cfg, log) },
				fx.OnStart(func(ctx context.Context, s store) error { return s.Start(ctx) }),
				fx.OnStop(func(ctx context.Context, s store) error { return s.Stop(ctx) }),
			),
			func(s store) (deploy.Store, deploy.Queue, deploy.Watcher, deploy.Outbox) {
				return s, s, s, s.Outbox()
			},
			func(s store) (status.Log, status.Feed) { return s, s },
			func(s store) (Readiness, ClockBehind) { return s.Check, s.ClockBehind },
		),
	)
}

func newStore(cfg config.Config, log *slog.Logger) (store, error) {
	if len(cfg.Redis) == 0 {
		return newBolt(cfg, log), nil
	}
	return newRedis(cfg, log)
}

// newBolt returns the store in the data folder.
func newBolt(cfg config.Config, log *slog.Logger) *bolt.Store {
	return bolt.New(bolt.Options{
		Path: cfg.StorePath(), Logger: log,
		KeepEntries: cfg.KeepEntries, KeepPayloads: cfg.KeepPayloads, KeepChanges: cfg.KeepChanges,
		KeepKeys:   cfg.KeepEntries, // a delivery may be captured, and come again whenever
		MaxEntries: cfg.MaxEntries, MaxChanges: cfg.MaxChanges,
	})
}

// newRedis returns the store in Redis.
func newRedis(cfg config.Config, log *slog.Logger) (*redis.Store, error) {
	o := redis.Options{
		Addrs: cfg.Redis, Master: cfg.RedisMaster, Cluster: cfg.RedisCluster, DB: cfg.RedisDB,
		Username: cfg.RedisUsername, Prefix: cfg.RedisPrefix, Logger: log,
		KeepEntries: cfg.KeepEntries, KeepPayloads: cfg.KeepPayloads, KeepChanges: cfg.KeepChanges,
		KeepKeys:   cfg.KeepEntries, // a delivery may be captured, and come again whenever
		MaxEntries: cfg.MaxEntries, MaxChanges: cfg.MaxChanges,
	}
	var err error
	if o.Password, err = secretIn("redis-password-file", cfg.RedisPasswordFile); err != nil {
		return nil, err
	}
	if o.SentinelPassword, err = secretIn("redis-sentinel-password-file", cfg.RedisSentinelPasswordFile); err != nil {
		return nil, err
	}
	if cfg.RedisTLS {
		roots, err := authorities("redis-ca-file", cfg.RedisCAFile)
		if err != nil {
			return nil, err
		}
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	return redis.New(o), nil
}

// CheckRedis fails if the Redis of the settings can't be used.
func CheckRedis(ctx context.Context, cfg config.Config) (err error) {
	s, err := newRedis(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop(ctx)) }()
	return s.Check(ctx)
}

func secretIn(setting, path string) (core.Secret, error) {
	if path == "" {
		return core.Secret{}, nil
	}
	secret, err := config.SecretFile(path)
	if err != nil {
		return core.Secret{}, fmt.Errorf("%s: %w", setting, err)
	}
	return secret, nil
}
