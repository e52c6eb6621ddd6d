package jsonscan

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// valid returns the error in text, reading nothing of it.
func valid(text string) error {
	s := New([]byte(text))
	s.Skip()
	return s.End()
}

func TestSyntaxIsCheckedAsByEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, text := range syntax {
		got, want := valid(text) == nil, json.Valid([]byte(text))
		if got != want {
			t.Errorf("%q: valid is %v, encoding/json says %v", text, got, want)
		}
	}
}

// syntax has texts for each rule of JSON; the fuzzer begins with them.
var syntax = []string{
	``, ` `, `{}`, `[]`, ` { } `, `[1,2]`, `[1,]`, `[,1]`, `[1 2]`, `{"a":1,}`, `{"a" 1}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`,
	`{"a":1}{`, `{"a":1} x`, `[1]]`, `[}`, `{]`, `{"a":[{"b":[]}]}`, "\t\r\n[\n1\r,\t2]", "\v[]", "\ufeff{}", `[1`, `{"a"`, `{"a":`, `{`, `[`,
	`null`, `nul`, `nulll`, `true`, `TRUE`, `tru`, `false`, `falsy`, `nan`,
	`0`, `-0`, `-`, `00`, `01`, `1.`, `.1`, `1.0`, `1e`, `1e+`, `1e+1`, `1E-1`, `1e1.5`, `+1`, `-1.5e10`, `0e0`, `0x1`, `1_0`, `9999999999999999999999`,
	`""`, `"`, `"a`, `"\"`, `"\n"`, `"\x"`, `"\u00e9"`, `"\u00E9\ud83d\ude00"`, `"\u12"`, `"\u12g4"`, `"\ud800"`, "\"\n\"", "\"\x00\"", "\"\x7f\"", "\"\xff\"", `"\`,
	`{"":{"":""}}`, `{"a":1,"a":2}`,
}

func FuzzScanner(f *testing.F) {
	for _, text := range syntax {
		f.Add([]byte(text))
	}
	f.Add([]byte(strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		err := valid(string(text))
		if errors.Is(err, ErrDepth) {
			return
		}
		if got, want := err == nil, json.Valid(text); got != want {
			t.Fatalf("valid is %v (%v), encoding/json says %v", got, err, want)
		}
		readAll(t, text)
	})
}

// readAll reads text in every way there is and compares with encoding/json.
func readAll(t *testing.T, text []byte) {
	t.Helper()
	s := New(text)
	got := tree(s)
	err := s.End()
	if err != nil {
		return // also for a key twice, and for what is not UTF-8
	}
	var want any
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		t.Fatalf("encoding/json refuses a text that was read: %v", err)
	}
	if want := reduce(want); !reflect.DeepEqual(got, want) {
		t.Fatalf("read %#v, encoding/json %#v", got, want)
	}
}

// tree reads a value as encoding/json would, but of objects the keys a and b.
func tree(s *Scanner) any {
	switch s.Kind() {
	case Object:
		object := map[string]any{}
		for key := range s.Object("a", "b") {
			object[key] = tree(s)
		}
		return object
	case Array:
		array := []any{}
		for range s.Array() {
			array = append(array, tree(s))
		}
		return array
	case String:
		return s.Text()
	case Number:
		return json.Number(s.Word())
	case True, False:
		return s.Bool()
	default:
		s.Skip()
		return nil
	}
}

// reduce leaves of each object the keys a and b.
func reduce(v any) any {
	switch v := v.(type) {
	case map[string]any:
		object := map[string]any{}
		for _, key := range []string{"a", "b"} {
			if value, found := v[key]; found {
				object[key] = reduce(value)
			}
		}
		return object
	case []any:
		array := []any{}
		for _, value := range v {
			array = append(array, reduce(value))
		}
		return array
	default:
		return v
	}
}

func TestValuesAreReadAsByEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, text := range append(slices.Clone(syntax),
		`{"a":"x\"\\\/\b\f\n\r\t","b":[1,{"a":null,"c":{"a":1}},true,"\ud83d\ude00\ud83dx\ude00"],"c":3}`,
		`{"\u0061":1,"A":2}`,
	) {
		readAll(t, []byte(text))
	}
}

func TestObjectYieldsTheWantedKeysByTheirExactCase(t *testing.T) {
	t.Parallel()
	s := New([]byte(`{"x":[{"ref":0}],"REF":"no","ref":"yes","\u0061fter":"escaped","Ref":"no","":1}`))
	got := map[string]string{}
	for key := range s.Object("ref", "after", "missing") {
		got[key] = s.Text()
	}
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"ref": "yes", "after": "escaped"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAWantedKeyMayComeOnce(t *testing.T) {
	t.Parallel()
	for text, refused := range map[string]bool{
		`{"ref":1,"ref":2}`:               true,
		`{"ref":1,"\u0072ef":2}`:          true,
		`{"ref":1,"x":{"ref":1},"Ref":1}`: false,
		`{"x":1,"x":2}`:                   false,
	} {
		s := New([]byte(text))
		for range s.Object("after", "ref") {
			continue // unread: the Scanner skips it
		}
		if got := errors.Is(s.End(), ErrDuplicate); got != refused {
			t.Errorf("%s: refused is %v, want %v", text, got, refused)
		}
	}
	// A loop with a break must not hide the second one.
	s := New([]byte(`{"ref":1,"ref":2}`))
	for range s.Object("ref") {
		break
	}
	if err := s.End(); !errors.Is(err, ErrDuplicate) {
		t.Errorf("after a break: %v", err)
	}
}

func TestDepthIsBounded(t *testing.T) {
	t.Parallel()
	nested := func(open, end string, n int) string { return strings.Repeat(open, n) + "1" + strings.Repeat(end, n) }
	for _, kind := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		if err := valid(nested(kind[0], kind[1], MaxDepth)); err != nil {
			t.Errorf("%s at the bound: %v", kind[0], err)
		}
		if err := valid(nested(kind[0], kind[1], MaxDepth+1)); !errors.Is(err, ErrDepth) {
			t.Errorf("%s above the bound: %v", kind[0], err)
		}
		if err := valid(strings.Repeat(kind[0], 5_000_000)); !errors.Is(err, ErrDepth) {
			t.Errorf("%s for ever: %v", kind[0], err)
		}
	}
	if err := valid("[" + strings.Repeat("[[]],", 1000) + "[]]"); err != nil {
		t.Errorf("elements side by side: %v", err)
	}
}

func TestTextMustBeUTF8(t *testing.T) {
	t.Parallel()
	text := []byte("{\"a\":\"\xff\"}")
	if err := valid(string(text)); err != nil {
		t.Errorf("unread: %v", err)
	}
	s := New(text)
	for range s.Object("a") {
		if got := s.Text(); got != "" {
			t.Errorf("read %q", got)
		}
	}
	if err := s.End(); !errors.Is(err, ErrUTF8) {
		t.Errorf("read: %v", err)
	}
}

func TestAValueOfAnotherTypeReadsAsZero(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`null`, `true`, `1.5`, `"x"`, `[1]`, `{"a":1}`} {
		s := New([]byte("[" + strings.Repeat(text+",", 5) + text + "]"))
		kind := New([]byte(text)).Kind()
		for i := range s.Array() {
			switch i {
			case 0:
				if got := s.Text(); (got != "") != (kind == String) {
					t.Errorf("%s as text: %q", text, got)
				}
			case 1:
				if got := s.Word(); (got != "") != (kind == String || kind == Number) {
					t.Errorf("%s as word: %q", text, got)
				}
			case 2:
				if n, ok := s.Int(); n != 0 || ok {
					t.Errorf("%s as int: %d", text, n)
				}
			case 3:
				if got := s.Bool(); got != (kind == True) {
					t.Errorf("%s as bool: %v", text, got)
				}
			case 4:
				for range s.Array() {
					if kind != Array {
						t.Errorf("%s as array", text)
					}
				}
			case 5:
				for range s.Object("a") {
					if kind != Object {
						t.Errorf("%s as object", text)
					}
				}
			}
		}
		if err := s.End(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Strings keep their values while others are read, also after a Rewind.
func TestTextsAreKept(t *testing.T) {
	t.Parallel()
	var list, want []string
	for i := range 500 {
		want = append(want, strings.Repeat(string(rune('a'+i%26)), i))
		list = append(list, `"`+want[i]+`"`)
	}
	s := New([]byte("[" + strings.Join(list, ",") + "]"))
	var got, again []string
	for range s.Array() {
		start := s.Offset()
		got = append(got, s.Text())
		s.Rewind(start)
		again = append(again, s.Text())
	}
	if err := s.End(); err != nil || !slices.Equal(got, want) || !slices.Equal(again, want) {
		t.Errorf("the strings have changed: %v", err)
	}
}

func TestRewindAfterAnErrorDoesNothing(t *testing.T) {
	t.Parallel()
	s := New([]byte(`[{"a":tru}]`))
	for range s.Array() {
		start := s.Offset()
		for range s.Object("a") {
			s.Bool()
		}
		s.Rewind(start)
		s.Skip()
	}
	if err := s.End(); !errors.Is(err, ErrSyntax) {
		t.Errorf("got %v", err)
	}
}

func TestIntReadsWholeNumbersOf64Bits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{`0`: 0, `-7`: -7, `1331839581`: 1331839581, `9223372036854775807`: 1<<63 - 1} {
		if got, ok := New([]byte(text)).Int(); got != want || !ok {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{`1.0`, `1e3`, `9223372036854775808`, `-`} {
		if got, ok := New([]byte(text)).Int(); got != 0 || ok {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
}

func TestNothingIsReadAfterAFailure(t *testing.T) {
	t.Parallel()
	s := New([]byte(`{"a":tru,"b":"x"}`))
	for key := range s.Object("a", "b") {
		if key == "b" {
			t.Error("read on after the failure")
		}
	}
	s.Skip()
	if s.Kind() != None || s.Text() != "" || s.Word() != "" || s.Bool() {
		t.Error("a value was read after the failure")
	}
	if _, ok := s.Int(); ok {
		t.Error("a number was read after the failure")
	}
	if err := s.End(); !errors.Is(err, ErrSyntax) {
		t.Errorf("the failure is lost: %v", err)
	}
}

// sample returns some 1.7 MB of a push as GitHub sent it in 2012, with many commits.
func sample(b *testing.B) []byte {
	b.Helper()
	text, err := os.ReadFile("../../github/testdata/push-2012.json")
	if err != nil {
		b.Fatal(err)
	}
	return []byte(`{"commits":[` + strings.Repeat(string(text)+",", 499) + string(text) + `],"ref":"refs/heads/main"}`)
}

type found struct {
	Ref     string `json:"ref"`
	Commits []struct {
		After string `json:"after"`
	} `json:"commits"`
}

func BenchmarkScanner(b *testing.B) {
	text := sample(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var f found
		s := New(text)
		for key := range s.Object("ref", "commits") {
			switch key {
			case "ref":
				f.Ref = s.Text()
			case "commits":
				for range s.Array() {
					for range s.Object("after") {
						f.Commits = append(f.Commits, struct {
							After string `json:"after"`
						}{s.Text()})
					}
				}
			}
		}
		if err := s.End(); err != nil || len(f.Commits) != 500 {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodingJSON(b *testing.B) {
	text := sample(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var f found
		if err := json.Unmarshal(text, &f); err != nil || len(f.Commits) != 500 {
			b.Fatal(err)
		}
	}
}
