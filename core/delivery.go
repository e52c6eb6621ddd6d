package core

import (
	"bytes"
	"encoding/json"
	"net/textproto"
	"net/url"
	"strings"
)

// MaxPayload is the size of the largest accepted payload in bytes: GitHub's limit
// (docs.github.com, "Webhook events and payloads": 25 MB).
const MaxPayload = 25 << 20

// Delivery is one HTTP POST from a sender.
type Delivery struct {
	Header  textproto.MIMEHeader // canonical names, as net/http has them
	Body    []byte               // as it arrived; what GitHub signs
	Payload []byte               // the JSON text within it; what Travis CI signs
	Email   Email                // fields of the form that GitHub's former service hook sent
}

// Email says which outcomes the user wants to be notified of by mail. GitHub's
// former service hook for Nodejitsu had a box for each (github/github-services,
// lib/services/nodejitsu.rb: email_success_deploys, email_errors).
type Email struct {
	Success bool `json:"success,omitempty"`
	Errors  bool `json:"errors,omitempty"`
}

// NewDelivery finds the payload in a body, whatever its Content-Type is:
// JSON, also as `curl -d @file` sends it, without newlines and with the type of a
// form; or a form with the field "payload".
// It fails with [CodeNoPayload] if there is none and with
// [CodeProviderNotSupported] if the body is neither. The Delivery refers to
// body and does not copy it.
func NewDelivery(header textproto.MIMEHeader, body []byte) (Delivery, error) {
	d := Delivery{Header: header, Body: body}
	text := trimJSON(body)
	switch {
	case len(text) == 0:
		return Delivery{}, NewError(CodeNoPayload, "", nil)
	case text[0] == '{' || text[0] == '[':
		d.Payload = text
		return d, nil
	}
	value, found := formField(string(body), "payload")
	if !found {
		return Delivery{}, NewError(CodeProviderNotSupported,
			"The body is neither JSON nor a form with a field \"payload\"; send one of the two", nil)
	}
	d.Payload = trimJSON([]byte(value))
	if len(d.Payload) == 0 {
		return Delivery{}, NewError(CodeNoPayload, "", nil)
	}
	d.Email = Email{
		Success: checked(string(body), "email_success") || checked(string(body), "email_success_deploys"),
		Errors:  checked(string(body), "email_errors"),
	}
	return d, nil
}

// checked reports whether a checkbox of a form is checked.
func checked(form, name string) bool {
	value, _ := formField(form, name)
	switch strings.ToLower(value) {
	case "1", "true", "on", "yes":
		return true
	}
	return false
}

// trimJSON removes white space around a JSON text, and the byte order mark that
// some tools write.
func trimJSON(text []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(text), []byte("\xef\xbb\xbf")))
}

// formField returns the first field of that name. JSON that was pasted after the
// name without encoding it is returned unchanged, with every '&' and '+' in it; so
// is a value with an invalid percent encoding.
func formField(form, name string) (value string, found bool) {
	for form != "" {
		pair, others, _ := strings.Cut(form, "&")
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			form = others
			continue
		}
		rest := strings.TrimPrefix(form[len(key):], "=")
		if text, ok := pastedJSON(rest); ok {
			return text, true
		}
		decoded, err := url.QueryUnescape(value)
		if err != nil {
			return rest, true
		}
		return decoded, true
	}
	return "", false
}

// pastedJSON returns the object or array that text begins with. ok is
// false unless the form ends or has another field after it.
func pastedJSON(text string) (value string, ok bool) {
	if text == "" || text[0] != '{' && text[0] != '[' {
		return "", false
	}
	var raw json.RawMessage
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&raw); err != nil {
		return "", false
	}
	rest := strings.TrimLeft(text[d.InputOffset():], " \t\r\n")
	return string(raw), rest == "" || rest[0] == '&'
}
