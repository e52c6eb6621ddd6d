// Package chat notifies users of the outcomes of their deployments by messages to
// chat services: Slack, Mattermost, Rocket.Chat, Google Chat, Discord, Microsoft
// Teams, Telegram, Matrix, Zulip, ntfy, Gotify and Pushover.
//
// Each service takes one request, which this package makes itself, as addresses are
// the choice of users, who are not trusted with the network of the server: requests
// must go by a guard that refuses private addresses, and must not follow redirects
// with the credentials of a service.
//
// github.com/nicholas-fedor/shoutrrr, tried at v0.13.2, cannot do that. It would add
// 0.7 MB and two modules to the program, under the MIT license, but:
//   - Mattermost (pkg/services/chat/mattermost/mattermost.go:52 and 56), ntfy
//     (push/ntfy/ntfy.go:78 and 87) and Gotify (push/gotify/gotify_client.go:30) build
//     transports of their own, in unexported fields; with http.DefaultTransport and
//     http.DefaultClient replaced by a guard, all three connected to 127.0.0.1. The
//     others use http.DefaultClient or nil transports, so that a guard for them would
//     be one for the whole process.
//   - Send (pkg/types/sender.go) has no context. Matrix connects while its address is
//     being parsed.
//   - Errors have the address with its credentials (shoutrrr.go:27), and no status code
//     or Retry-After by which to choose between another attempt and none.
//   - A Telegram message that was not sent is reported as sent
//     (chat/telegram/telegram_client.go:60, as the error is no JSON), and a Zulip server
//     that does not answer ends the process (chat/zulip/zulip.go:112, nil pointer).
//
// github.com/containrrr/shoutrrr v0.8.0, which it continues, uses http.Post
// throughout. github.com/nikoksr/notify v1.3.0 has no ntfy, Gotify or Zulip, takes a
// client of the caller's only for Teams and Telegram and in service/http, which leaves
// the form of messages to the caller, and requires the SDKs of all its services.
package chat
