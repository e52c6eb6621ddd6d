package core_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// wholeEntry returns an entry none of whose fields is zero.
func wholeEntry() core.Entry {
	var e core.Entry
	fill(reflect.ValueOf(&e).Elem())
	e.Status = core.StatusError
	return e
}

func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)))
			return
		}
		for _, field := range v.Fields() {
			fill(field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("a <b> & \"c\"")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	default:
		panic(v.Kind())
	}
}

func TestEncodedChange(t *testing.T) {
	t.Parallel()
	want := core.Change{Seq: core.Seq{Millis: 5, N: 1}, Entry: wholeEntry()}
	encoded, err := core.EncodeChange(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := encoded.Decode()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}

	// What a store sets beside the entry is in all that is made of it.
	encoded.Order, encoded.Revision, encoded.Attempts, encoded.UpdatedAt = 100, 2, 3, want.Entry.UpdatedAt.Add(time.Hour)
	want.Entry.Order, want.Entry.Revision, want.Entry.Attempts, want.Entry.UpdatedAt = 100, 2, 3, encoded.UpdatedAt
	got, err = encoded.Decode()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	line, err := encoded.Line()
	if err != nil {
		t.Fatal(err)
	}
	var written struct {
		Seq string
		App string `json:"app_name"`
		Doc core.Entry
	}
	if err := json.Unmarshal(line.AppendTo(nil, "http://h", core.DocAlways), &written); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(written.Doc, want.Entry) || written.Seq != "5-1" || written.App != want.Entry.App || line.Status != core.StatusError {
		t.Errorf("the line is %+v\nwant %+v", written, want.Entry)
	}
	// The doc has the names that the JSON of an entry has, no more and no less.
	var names, wantNames map[string]any
	text, err := json.Marshal(want.Entry)
	if err != nil {
		t.Fatal(err)
	}
	doc := struct{ Doc *map[string]any }{&names}
	for text, into := range map[string]any{string(text): &wantNames, string(line.AppendTo(nil, "http://h", core.DocAlways)): &doc} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(names, wantNames) {
		t.Errorf("got %v\nwant %v", names, wantNames)
	}
}

// The notes of a deployment are in the short form too: the answer to the sender has
// nothing else.
func TestNotesInTheShortForm(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{"": "one. two", "own": "own"} {
		e := core.Entry{ID: "id", User: "me", Status: core.StatusOK, Reason: reason, Notes: []string{"one", "two"}}
		encoded, err := core.EncodeChange(core.Change{Entry: e})
		if err != nil {
			t.Fatal(err)
		}
		line, err := encoded.Line()
		if err != nil {
			t.Fatal(err)
		}
		if got := string(line.AppendTo(nil, "http://h", core.DocNever)); !strings.Contains(got, `"reason":"`+want+`"`) {
			t.Errorf("got %s, want the reason %q", got, want)
		}
	}
}

// A damaged entry is an error.
func TestEncodedChangeDamaged(t *testing.T) {
	t.Parallel()
	encoded, err := core.EncodeEntry(core.Entry{ID: "i", User: "u", App: "a", Status: core.StatusOK, Steps: []core.Step{}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(encoded) {
		c := core.EncodedChange{Entry: encoded[:n]}
		if _, err := c.Decode(); err == nil {
			t.Errorf("the first %d bytes of %d were decoded", n, len(encoded))
		}
		_, _ = c.Line() // it does not panic
	}
	if _, err := (core.EncodedChange{Entry: []byte("\x00\x00\x00{}")}).Line(); err == nil {
		t.Error("no error for an entry without a short form")
	}
}
