package core

import (
	"bytes"
	"encoding/json"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
)

func TestNewDeliveryFindsThePayload(t *testing.T) {
	t.Parallel()
	const payload = `{"message":"a+b & c=d 100% \u00e9 größer;","n":[1, 2]}`
	escaped := url.QueryEscape(payload)
	for why, body := range map[string]string{
		"JSON":                             payload,
		"white space around":               " \r\n\t" + payload + "\n\n",
		"a byte order mark":                "\ufeff" + payload,
		"a byte order mark between spaces": "\n\ufeff\n" + payload,
		"a form":                           "payload=" + escaped,
		"spaces as %20":                    "payload=" + strings.ReplaceAll(escaped, "+", "%20"),
		"lower-case escapes":               "payload=" + strings.NewReplacer("%7B", "%7b", "%7D", "%7d").Replace(escaped),
		"a form as the service hook had":   "payload=" + escaped + "&email_success=1&email_errors=1",
		"behind other fields":              "email_success=1&nopayload=x&payload=" + escaped,
		"the first of two":                 "payload=" + escaped + "&payload=x",
		"white space in the field":         "payload=%0A" + escaped + "%0A",
		"a mark in the field":              "payload=%EF%BB%BF" + escaped,
		"pasted, not encoded":              "payload=" + payload,
		"pasted behind other fields":       "nopayload=1&payload=" + payload,
		"pasted before other fields":       `payload={"message":"a&b%"}&email_success=1`,
	} {
		want := payload
		if strings.Contains(why, "before other") {
			want = `{"message":"a&b%"}`
		}
		header := textproto.MIMEHeader{"Content-Type": {"text/plain"}}
		d, err := NewDelivery(header, []byte(body))
		if err != nil || string(d.Payload) != want || string(d.Body) != body || d.Header.Get("content-type") != "text/plain" {
			t.Errorf("%s: %q, %v", why, d.Payload, err)
		}
	}
}

func TestNewDeliveryKeepsAListForItsProviderToRefuse(t *testing.T) {
	t.Parallel()
	d, err := NewDelivery(nil, []byte(`[1]`))
	if err != nil || string(d.Payload) != `[1]` {
		t.Errorf("%q, %v", d.Payload, err)
	}
}

func TestNewDeliveryWithoutPayload(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]Code{
		"":                          CodeNoPayload,
		" \r\n":                     CodeNoPayload,
		"\ufeff":                    CodeNoPayload,
		"payload=":                  CodeNoPayload,
		"payload":                   CodeNoPayload,
		"payload=+%0A":              CodeNoPayload,
		"payload=&email_success=1":  CodeNoPayload,
		"email_success=1&payload=":  CodeNoPayload,
		"hello":                     CodeProviderNotSupported,
		"null":                      CodeProviderNotSupported,
		`"payload=1"`:               CodeProviderNotSupported,
		"PAYLOAD=%7B%7D":            CodeProviderNotSupported,
		"nopayload=%7B%7D":          CodeProviderNotSupported,
		"\x00\x01\xff":              CodeProviderNotSupported,
		"<payload>{}</payload>":     CodeProviderNotSupported,
		"a=1&xpayload=%zz&b=2":      CodeProviderNotSupported,
		"--x\r\nname=payload\r\n{}": CodeProviderNotSupported,
	} {
		d, err := NewDelivery(nil, []byte(body))
		if CodeOf(err) != want {
			t.Errorf("%q: %q, %v; want %s", body, d.Payload, err, want)
		}
	}
}

// What is found is within the body or its decoding, and any JSON is found
// again, however it was wrapped.
func FuzzNewDelivery(f *testing.F) {
	for _, body := range []string{
		"", `{}`, "\ufeff{}", "payload=%7B%7D", "payload={}&a=b", "a=b&payload=%zz", `payload={"a":"&%"}`, "payload=%", "payload=%EF%BB%BF%7B%7D",
		`{"a":"b&c=d;e+f%20"}`, "[1,2]", "null",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		kept := bytes.Clone(body)
		d, err := NewDelivery(nil, body)
		if !bytes.Equal(body, kept) {
			t.Fatal("the body was changed")
		}
		switch code := CodeOf(err); {
		case err != nil && code != CodeNoPayload && code != CodeProviderNotSupported:
			t.Fatalf("failed with %v", err)
		case err == nil && (len(d.Payload) == 0 || len(d.Payload) > len(body) || !bytes.Equal(d.Body, body)):
			t.Fatalf("payload %q", d.Payload)
		}
		text := bytes.Trim(body, " \t\r\n")
		if !json.Valid(text) || text[0] != '{' {
			return
		}
		for _, wrapped := range []string{
			string(body), "\ufeff" + string(body), "payload=" + url.QueryEscape(string(body)), "a=b&payload=" + url.QueryEscape(string(text)) + "&c=d",
		} {
			d, err := NewDelivery(nil, []byte(wrapped))
			if err != nil || !bytes.Equal(d.Payload, text) {
				t.Fatalf("%q: %q, %v", wrapped, d.Payload, err)
			}
		}
	})
}
