package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nodejitsu/webhooks/adapters/chat"
	"github.com/nodejitsu/webhooks/adapters/outgoing"
	"github.com/nodejitsu/webhooks/adapters/smtp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/core/status"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// notifiers returns the notifiers that are configured.
func notifiers(cfg config.Config, client *nodejitsu.Client, accounts deploy.Accounts, log status.Log) ([]deploy.Notifier, error) {
	all := []deploy.Notifier{chat.New(chat.Options{
		Tokens: func(ctx context.Context, user string) ([]core.ThirdPartyToken, error) {
			return accounts.Tokens(ctx, user, true)
		},
		Former: func(ctx context.Context, e core.Entry) (core.Status, error) { return formerOutcome(ctx, log, e) },
		Link:   linkTo(cfg), PrivateHosts: cfg.PrivateHosts,
	})}
	if cfg.SMTPAddr != "" {
		mail, err := newMail(cfg, client)
		if err != nil {
			return nil, err
		}
		all = append(all, mail)
	}
	secret, err := secretOf("notify-secret-file", cfg.NotifySecretFile)
	if err != nil {
		return nil, err
	}
	for _, address := range cfg.NotifyURLs {
		webhook, err := outgoing.New(outgoing.Options{URL: address, Secret: secret, PrivateHosts: cfg.PrivateHosts})
		if err != nil {
			return nil, err
		}
		all = append(all, webhook)
	}
	return all, nil
}

// formerOutcome returns the outcome of the app's deployment before e; "" if there is
// none among the last entries.
func formerOutcome(ctx context.Context, log status.Log, e core.Entry) (core.Status, error) {
	const most = 100
	page, _, err := log.Entries(ctx, e.User, e.App, 0, most)
	for _, former := range page {
		if former.Order < e.Order && (former.Status == core.StatusOK || former.Status == core.StatusError) {
			return former.Status, err
		}
	}
	return "", err
}

// linkTo returns the URL of an entry's page, or nil if the public URL is unknown.
func linkTo(cfg config.Config) func(core.Entry) string {
	if cfg.BaseURL == "" {
		return nil
	}
	return func(e core.Entry) string {
		return strings.TrimSuffix(cfg.BaseURL, "/") + e.Page()
	}
}

func newMail(cfg config.Config, client *nodejitsu.Client) (*smtp.Mail, error) {
	password, err := secretOf("smtp-password-file", cfg.SMTPPasswordFile)
	if err != nil {
		return nil, err
	}
	return smtp.New(smtp.Options{
		Addr: cfg.SMTPAddr, From: cfg.SMTPFrom, Username: cfg.SMTPUsername, Password: password, TLS: smtp.TLS(cfg.SMTPTLS),
		Success: cfg.EmailSuccess, Errors: cfg.EmailErrors, BaseURL: strings.TrimSuffix(cfg.BaseURL, "/"),
		Address: func(ctx context.Context, user string) (string, error) {
			account, err := client.User(ctx, user)
			return account.Email, err
		},
	})
}

// secretOf reads the file of a setting. It returns no secret if the setting is
// empty.
func secretOf(setting, path string) (core.Secret, error) {
	if path == "" {
		return core.Secret{}, nil
	}
	secret, err := config.SecretFile(path)
	if err == nil && secret.IsZero() {
		err = errors.New("the file is empty")
	}
	if err != nil {
		return core.Secret{}, fmt.Errorf("--%s: %w", setting, err)
	}
	return secret, nil
}
