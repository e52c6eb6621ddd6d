package golden

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// marker is a key that no payload has. It becomes the key that is to occur twice.
const marker = "\u2021marker"

// Twice returns payload with the field at path, such as "repository.name", twice
// in its object; null is its first or its last value. An array stands for its
// first element. escaped has the key with an escape sequence.
func Twice(tb testing.TB, payload []byte, path string) (plain, escaped []byte) {
	tb.Helper()
	var value any
	if err := json.Unmarshal(payload, &value); err != nil {
		tb.Fatal(err)
	}
	keys := strings.Split(path, ".")
	at := value
	for _, key := range keys[:len(keys)-1] {
		at = element(at)
		object, _ := at.(map[string]any)
		at = object[key]
	}
	last := keys[len(keys)-1]
	object, ok := element(at).(map[string]any)
	if _, found := object[last]; !ok || !found {
		tb.Fatalf("the payload has no field %s", path)
	}
	object[marker] = nil
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	as := func(key string) []byte { return []byte(strings.Replace(string(text), marker, key, 1)) }
	return as(last), as(fmt.Sprintf(`\u%04x`, last[0]) + last[1:])
}

func element(value any) any {
	if array, is := value.([]any); is && len(array) > 0 {
		return array[0]
	}
	return value
}

// Hostile parses many variants of each of payloads, whose names are those of
// Payloads: with every field in turn absent or of another type, too long, nested
// too deeply or with characters that mean something elsewhere. Each must be
// refused with core.CodeProviderNotSupported or be a valid event.
func Hostile(t *testing.T, payloads map[string][]byte, parse func(name string, payload []byte) (core.Event, error)) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(payloads)) {
		var value any
		if err := json.Unmarshal(payloads[name], &value); err != nil {
			t.Fatal(err)
		}
		variants := 0
		vary(value, func() {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			for hostile, raw := range hostileValues() {
				variant := strings.Replace(string(text), `"`+marker+`"`, raw, 1)
				variants++
				e, err := parse(name, []byte(variant))
				switch {
				case err == nil:
					CheckEvent(t, e)
				case core.CodeOf(err) != core.CodeProviderNotSupported:
					t.Errorf("%s with %s: %v", name, hostile, err)
				}
				if t.Failed() {
					t.Fatalf("%s with %s: %.2000s", name, hostile, variant)
				}
			}
		})
		if variants == 0 {
			t.Errorf("%s has no fields", name)
		}
	}
}

// vary sets each value in value to the marker, calls f and sets it back. Of an
// array it does so with the first element.
func vary(value any, f func()) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			old := value[key]
			value[key] = marker
			f()
			value[key] = old
			vary(old, f)
		}
	case []any:
		if len(value) > 0 {
			old := value[0]
			value[0] = marker
			f()
			value[0] = old
			vary(old, f)
		}
	}
}

// hostileValues returns JSON texts by what they are.
func hostileValues() map[string]string {
	return map[string]string{
		"null":           `null`,
		"true":           `true`,
		"zero":           `0`,
		"a huge number":  `-1e999999`,
		"a long number":  strings.Repeat("9", 400),
		"an empty text":  `""`,
		"a text":         `"x"`,
		"a path":         `"../../etc"`,
		"control":        `"a\u0000\r\nX-Evil: 1\u001b[31m"`,
		"half a pair":    `"refs/heads/\ud800"`,
		"a long text":    `"` + strings.Repeat("a/", 10_000) + `"`,
		"a script":       `"javascript:alert(1)"`,
		"credentials":    `"https://user:pass@example.com/a/b"`,
		"zeros":          `"` + strings.Repeat("0", 40) + `"`,
		"a list":         `[]`,
		"a list of all":  `[null,1,"x",[],{}]`,
		"an object":      `{}`,
		"other fields":   `{"id":{},"name":[],"url":7,"hash":null,"type":"x","path_with_namespace":"a","login":1}`,
		"not UTF-8":      "\"\xff\"",
		"deep":           strings.Repeat("[", 500) + strings.Repeat("]", 500),
		"not JSON":       `nul`,
		"an open string": `"`,
	}
}
