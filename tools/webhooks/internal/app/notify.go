package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nodejitsu/webhooks/adapters/outgoing"
	"github.com/nodejitsu/webhooks/adapters/smtp"
	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/core/deploy"
	"github.com/nodejitsu/webhooks/deployer/nodejitsu"
	"github.com/nodejitsu/webhooks/tools/webhooks/internal/config"
)

// notifiers returns the notifiers that are configured.
func notifiers(cfg config.Config, client *nodejitsu.Client) ([]deploy.Notifier, error) {
	var all []deploy.Notifier
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
