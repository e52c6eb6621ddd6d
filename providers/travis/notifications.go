package travis

import (
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// undirected returns a webhook without a URL, with Travis CI's defaults. For on_start
// the documentation says "change", but the code notifies only for "always".
func undirected() Webhook {
	return Webhook{OnSuccess: Always, OnFailure: Always, OnStart: Never, OnCancel: Always, OnError: Always}
}

// readNotifications reads `notifications`, a mapping or a list of mappings. Anything
// else, such as false, is about email.
func readNotifications(root *yaml.Node) (webhooks []Webhook) {
	notifications := value(root, "notifications", "notification")
	for _, section := range items(notifications) {
		if section.Kind == yaml.MappingNode {
			webhooks = append(webhooks, readSection(section)...)
		}
	}
	return webhooks
}

// readSection reads one mapping under `notifications`. Its on_success and on_failure
// apply to the webhooks without their own.
func readSection(section *yaml.Node) (webhooks []Webhook) {
	inherited := undirected()
	inherited.OnSuccess = readFrequency(section, "on_success", inherited.OnSuccess)
	inherited.OnFailure = readFrequency(section, "on_failure", inherited.OnFailure)
	for _, item := range items(value(section, "webhooks", "webhook")) {
		w := inherited
		if item.Kind == yaml.MappingNode {
			w.OnSuccess = readFrequency(item, "on_success", w.OnSuccess)
			w.OnFailure = readFrequency(item, "on_failure", w.OnFailure)
			w.OnStart = readFrequency(item, "on_start", w.OnStart)
			w.OnCancel = readFrequency(item, "on_cancel", w.OnCancel)
			w.OnError = readFrequency(item, "on_error", w.OnError)
		}
		w.readTargets(item)
		if len(w.URLs) > 0 || w.Encrypted {
			webhooks = append(webhooks, w)
		}
	}
	return webhooks
}

// readTargets reads the URLs of a webhook: a string with one or more, a list of such
// strings, an encrypted one, or a mapping with any of these under `urls` or `url`.
func (w *Webhook) readTargets(n *yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		if _, is := truth(n); is || n.Tag == tagNull {
			return // on or off, without a URL
		}
		// The separator was white space in 2011, and is a comma today.
		w.URLs = append(w.URLs, strings.FieldsFunc(n.Value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })...)
	case yaml.SequenceNode:
		for _, item := range items(n) {
			w.readTargets(item)
		}
	case yaml.MappingNode:
		if off(n) {
			return
		}
		if value(n, "secure").Kind != 0 {
			w.Encrypted = true
		}
		w.readTargets(value(n, "urls", "url"))
	}
}

// off reports whether a mapping is switched off, or is for Microsoft Teams, which gets
// a card instead of a notification.
func off(n *yaml.Node) bool {
	enabled, set := truth(value(n, "enabled"))
	disabled, _ := truth(value(n, "disabled"))
	teams, _ := truth(value(n, "msteams"))
	return set && !enabled || disabled || teams
}

// readFrequency reads when to notify: a word or a boolean, or the first of a list of
// them. Like Travis CI it accepts the old spellings ":change" (a Ruby symbol) and
// "changed".
func readFrequency(n *yaml.Node, key string, otherwise Frequency) Frequency {
	list := items(value(n, key))
	if len(list) == 0 {
		return otherwise
	}
	if on, is := truth(list[0]); is {
		if on {
			return Always
		}
		return Never
	}
	switch f := Frequency(word(list[0].Value)); f {
	case Always, Never, Change:
		return f
	case "changed":
		return Change
	}
	return otherwise
}

// unread returns the keys that also decide whether a webhook is called and that only
// Travis CI can evaluate: conditions, and files of this or other repositories that are
// merged into the file.
func unread(root *yaml.Node) (keys []string) {
	for _, key := range []string{"import", "if"} {
		if value(root, key).Kind != 0 {
			keys = append(keys, key)
		}
	}
	for _, section := range items(value(root, "notifications", "notification")) {
		for _, item := range items(value(section, "webhooks", "webhook")) {
			if value(item, "if").Kind != 0 {
				return append(keys, "notifications.webhooks.if")
			}
		}
	}
	return keys
}
