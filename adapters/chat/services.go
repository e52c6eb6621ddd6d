package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// maxText is the size of the longest message in bytes; Discord accepts 2,000
// characters.
const maxText = 1900

// message is a request that sends a message.
type message struct {
	method, url string
	header      map[string]string
	body        any // JSON, or a string as it is
}

// service makes the message for an address, whose scheme is the service's name
// without what follows a plus sign.
type service func(address *url.URL, text string, unique string) (message, error)

// services returns all that are known. The sources of their forms are:
//
//	slack     api.slack.com/messaging/webhooks; Mattermost and Rocket.Chat accept it
//	discord   discord.com/developers/docs/resources/webhook
//	teams     a Workflows webhook, learn.microsoft.com/microsoftteams/platform
//	telegram  core.telegram.org/bots/api#sendmessage
//	matrix    spec.matrix.org/latest/client-server-api
//	ntfy      docs.ntfy.sh/publish
//	gotify    gotify.net/docs/pushmsg
func services() map[string]service {
	return map[string]service{
		"slack": func(u *url.URL, text, _ string) (message, error) {
			return message{url: u.String(), body: map[string]any{"text": text}}, nil
		},
		"discord": func(u *url.URL, text, _ string) (message, error) {
			// A commit message must not mention people.
			return message{url: u.String(), body: map[string]any{"content": text, "allowed_mentions": map[string]any{"parse": []string{}}}}, nil
		},
		"teams":    teams,
		"telegram": telegram,
		"matrix":   matrix,
		"ntfy": func(u *url.URL, text, _ string) (message, error) {
			m := message{url: without(u, "token"), body: text}
			if token := u.Query().Get("token"); token != "" {
				m.header = map[string]string{"Authorization": "Bearer " + token}
			}
			return m, nil
		},
		"gotify": func(u *url.URL, text, _ string) (message, error) {
			token := u.Query().Get("token")
			if token == "" {
				return message{}, errors.New("want gotify+https://HOST/?token=TOKEN")
			}
			return message{
				url:    (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/") + "/message"}).String(),
				header: map[string]string{"X-Gotify-Key": token}, body: map[string]any{"message": text},
			}, nil
		},
	}
}

func teams(u *url.URL, text, _ string) (message, error) {
	return message{url: u.String(), body: map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": "application/vnd.microsoft.card.adaptive",
		"content": map[string]any{
			"type": "AdaptiveCard", "version": "1.4", "body": []any{map[string]any{"type": "TextBlock", "text": text, "wrap": true}},
		},
	}}}}, nil
}

func telegram(u *url.URL, text, _ string) (message, error) {
	password, ok := u.User.Password()
	chat := u.Host
	if !ok || chat == "" {
		return message{}, errors.New("want telegram://BOT:TOKEN@CHAT")
	}
	host := &url.URL{Scheme: "https", Host: "api.telegram.org"}
	if u.Scheme != "" { // telegram+https://BOT:TOKEN@HOST/CHAT: a server of one's own
		host.Scheme, host.Host, chat = u.Scheme, u.Host, strings.TrimPrefix(u.Path, "/")
	}
	host.Path = "/bot" + u.User.Username() + ":" + password + "/sendMessage"
	return message{url: host.String(), body: map[string]any{"chat_id": chat, "text": text, "link_preview_options": map[string]any{"is_disabled": true}}}, nil
}

func matrix(u *url.URL, text, unique string) (message, error) {
	token, room := u.Query().Get("token"), strings.TrimPrefix(u.Path, "/")
	if token == "" || room == "" {
		return message{}, errors.New("want matrix+https://HOST/ROOM-ID?token=TOKEN")
	}
	return message{
		method: http.MethodPut,
		url:    u.Scheme + "://" + u.Host + "/_matrix/client/v3/rooms/" + url.PathEscape(room) + "/send/m.room.message/" + unique,
		header: map[string]string{"Authorization": "Bearer " + token}, body: map[string]any{"msgtype": "m.text", "body": text},
	}, nil
}

// without returns a URL without a parameter.
func without(u *url.URL, parameter string) string {
	stripped, query := *u, u.Query()
	query.Del(parameter)
	stripped.RawQuery = query.Encode()
	return stripped.String()
}

// errAddress is what invalid addresses fail with. It does not repeat the address,
// which is a secret.
var errAddress = errors.New("invalid address: want SERVICE+https://HOST/…, where SERVICE is slack, discord, teams, matrix, ntfy or gotify, or telegram://BOT:TOKEN@CHAT") //nolint:gochecknoglobals // a constant

// parse returns the service of an address, and the URL without the service.
func parse(address core.Secret) (service, *url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(address.Reveal()))
	if err != nil {
		return nil, nil, errAddress
	}
	name, scheme, _ := strings.Cut(u.Scheme, "+")
	build, known := services()[name]
	if !known || u.Host == "" || scheme != "https" && scheme != "http" && (scheme != "" || name != "telegram") {
		return nil, nil, errAddress
	}
	u.Scheme = scheme
	return build, u, nil
}

// Check implements auth.Messenger.
func (c *Chat) Check(address core.Secret) error {
	_, err := newMessage(address, "", "")
	return err
}

func newMessage(address core.Secret, text, unique string) (message, error) {
	build, u, err := parse(address)
	if err != nil {
		return message{}, err
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	m, err := build(u, text, unique)
	if err != nil {
		return message{}, fmt.Errorf("invalid address: %w", err)
	}
	return m, nil
}

// request returns the HTTP request of a message.
func (m message) request(ctx context.Context) (*http.Request, error) {
	body, plain := m.body.(string)
	content := []byte(body)
	if !plain {
		var err error
		if content, err = json.Marshal(m.body); err != nil {
			return nil, err
		}
	}
	method := m.method
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, m.url, bytes.NewReader(content))
	if err != nil {
		return nil, errAddress
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	if !plain {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range m.header {
		req.Header.Set(name, value)
	}
	return req, nil
}
