package chat

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
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

// maxPushover is the same for Pushover, which accepts 1,024 characters.
const maxPushover = 1000

// message is a request that sends a message.
type message struct {
	method, url string
	header      map[string]string
	body        any // JSON, [url.Values] as a form, or a string as it is
}

// service makes the message for an address, whose scheme is without the service's
// name and the plus sign. A commit message must not mention people, which would
// notify all members of a channel.
type service func(address *url.URL, text string, unique string) (message, error)

// services returns all that are known. The sources of their forms are:
//
//	slack       api.slack.com/messaging/webhooks
//	mattermost  developers.mattermost.com/integrate/webhooks/incoming
//	rocketchat  docs.rocket.chat, Integrations
//	googlechat  developers.google.com/workspace/chat/quickstart/webhooks
//	discord     discord.com/developers/docs/resources/webhook
//	teams       a Workflows webhook, learn.microsoft.com/microsoftteams/platform
//	telegram    core.telegram.org/bots/api#sendmessage
//	matrix      spec.matrix.org/latest/client-server-api
//	zulip       zulip.com/api/send-message
//	ntfy        docs.ntfy.sh/publish
//	gotify      gotify.net/docs/pushmsg
//	pushover    pushover.net/api
func services() map[string]service {
	return map[string]service{
		"slack":      textTo(strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")),
		"mattermost": textTo(withoutAt()),
		"rocketchat": textTo(withoutAt()),
		"googlechat": textTo(strings.NewReplacer("<", "<"+apart)),
		"discord": func(u *url.URL, text, _ string) (message, error) {
			return message{url: u.String(), body: map[string]any{"content": text, "allowed_mentions": map[string]any{"parse": []string{}}}}, nil
		},
		"teams":    teams,
		"telegram": telegram,
		"matrix":   matrix,
		"zulip":    zulip,
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
		"pushover": func(u *url.URL, text, _ string) (message, error) {
			token, user := u.Query().Get("token"), strings.TrimPrefix(u.Path, "/")
			if token == "" || user == "" {
				return message{}, errors.New("want pushover+https://api.pushover.net/USER-KEY?token=TOKEN")
			}
			return message{
				url:  (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/1/messages.json"}).String(),
				body: url.Values{"token": {token}, "user": {user}, "message": {shorten(text, maxPushover)}},
			}, nil
		},
	}
}

// apart is a space without width. Behind a character that begins a mention, it ends
// the mention.
const apart = "\u200b"

// withoutAt returns what keeps an at sign from mentioning people.
func withoutAt() *strings.Replacer { return strings.NewReplacer("@", "@"+apart) }

// textTo returns a service that takes the text, escaped, as the JSON field "text".
func textTo(escape *strings.Replacer) service {
	return func(u *url.URL, text, _ string) (message, error) {
		return message{url: u.String(), body: map[string]any{"text": escape.Replace(text)}}, nil
	}
}

func teams(u *url.URL, text, _ string) (message, error) {
	var blocks []any // one for each line, as a line end alone does not end a line in a block
	for line := range strings.SplitSeq(text, "\n") {
		blocks = append(blocks, map[string]any{"type": "TextBlock", "text": line, "wrap": true, "spacing": "none"})
	}
	return message{url: u.String(), body: map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": "application/vnd.microsoft.card.adaptive",
		"content":     map[string]any{"type": "AdaptiveCard", "version": "1.4", "body": blocks},
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
		header: map[string]string{"Authorization": "Bearer " + token},
		body:   map[string]any{"msgtype": "m.text", "body": text, "m.mentions": map[string]any{}},
	}, nil
}

func zulip(u *url.URL, text, _ string) (message, error) {
	key, ok := u.User.Password()
	channel, topic := u.Query().Get("channel"), cmp.Or(u.Query().Get("topic"), "deployments")
	if !ok || channel == "" {
		return message{}, errors.New("want zulip+https://BOT-EMAIL:KEY@HOST/?channel=NAME&topic=TOPIC, with %40 for the @ of the email address")
	}
	return message{
		url:    (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/") + "/api/v1/messages"}).String(),
		header: map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+key))},
		body:   url.Values{"type": {"stream"}, "to": {channel}, "topic": {topic}, "content": {withoutAt().Replace(text)}},
	}, nil
}

// shorten returns the beginning of a text, at most that many bytes without the
// ellipsis.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
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
var errAddress = errors.New("invalid address: want SERVICE+https://HOST/…, where SERVICE is slack, mattermost, rocketchat, googlechat, discord, teams, matrix, zulip, ntfy, gotify or pushover, or telegram://BOT:TOKEN@CHAT; see webhooks notify --help") //nolint:gochecknoglobals // a constant

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
	m, err := build(u, shorten(text, maxText), unique)
	if err != nil {
		return message{}, fmt.Errorf("invalid address: %w", err)
	}
	return m, nil
}

// request returns the HTTP request of a message.
func (m message) request(ctx context.Context) (*http.Request, error) {
	var content []byte
	kind := "application/json"
	switch body := m.body.(type) {
	case string:
		content, kind = []byte(body), "text/plain; charset=utf-8"
	case url.Values:
		content, kind = []byte(body.Encode()), "application/x-www-form-urlencoded"
	default:
		var err error
		if content, err = json.Marshal(body); err != nil {
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
	req.Header.Set("Content-Type", kind)
	for name, value := range m.header {
		req.Header.Set(name, value)
	}
	return req, nil
}
