package core

import (
	"cmp"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A valid name is one part of a path below a root, and is unchanged in a URL, in a
// key and, for a user or an app, in lower case.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{
		"", "a", "a.b", "..", "a..b", ".a", "a/b", `a\b`, "a\x00", "A", "ü", "a:b", "a{b}", "%2e%2e", "-a", "a-", strings.Repeat("a", 64), strings.Repeat("a", 65),
		"0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef01234567", strings.Repeat("0", 40), "Octo-Cat", "con", "a\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for what, valid := range map[string]func(string) bool{
			"name": ValidName, "repository part": ValidRepositoryPart, "commit": ValidCommit, "id": ValidID,
		} {
			if !valid(s) {
				continue
			}
			joined := filepath.Join("/root", s)
			if path.Dir(joined) != "/root" || path.Base(joined) != s || !filepath.IsLocal(s) {
				t.Errorf("the %s %q is joined to %s", what, s, joined)
			}
			if url.PathEscape(s) != s || strings.ContainsAny(s, ":{}\x00 \t\r\n") || len(s) > 100 {
				t.Errorf("the %s %q is changed in a URL or a key", what, s)
			}
			if what != "repository part" && strings.ToLower(s) != s {
				t.Errorf("the %s %q has another spelling", what, s)
			}
		}
		if ValidRepositoryOwner(s) && (path.Clean(s) != s || !filepath.IsLocal(s) || (&url.URL{Path: s}).EscapedPath() != s || len(s) > 255) {
			t.Errorf("the repository owner %q is changed in a path or a URL", s)
		}
	})
}

// A Seq is parsed as it was written, and is ordered by its numbers.
func FuzzParseSeq(f *testing.F) {
	for _, seed := range []string{"0", "0-0", "1764000000000-3", "1-", "-1", "+1", "1-+1", "1-2-3", "18446744073709551615-18446744073709551615", "18446744073709551616", "1 ", "٣"} {
		f.Add(seed, "1-1")
	}
	f.Fuzz(func(t *testing.T, text, other string) {
		one, err := ParseSeq(text)
		if err != nil {
			if !one.IsZero() {
				t.Errorf("%q: got error %v and %v", text, one, err)
			}
			return
		}
		if again, err := ParseSeq(one.String()); err != nil || again != one {
			t.Errorf("%q is %v, and parsed again %v, %v", text, one, again, err)
		}
		if one.N < 1<<63 && one.Next(time.Unix(0, 0)).Compare(one) <= 0 {
			t.Errorf("Next of %v is not after it", one)
		}
		two, err := ParseSeq(other)
		if err != nil {
			return
		}
		want := cmp.Compare(one.Millis, two.Millis)
		if want == 0 {
			want = cmp.Compare(one.N, two.N)
		}
		if one.Compare(two) != want || two.Compare(one) != -want {
			t.Errorf("%v compares to %v as %d and %d", one, two, one.Compare(two), two.Compare(one))
		}
	})
}
