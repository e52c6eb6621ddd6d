package core_test

import (
	"encoding/csv"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/core"
)

// publishedCode is a row of the error tables of the API as it was published in
// 2012, in testdata/published-codes.tsv: area, code, status code, reason.
type publishedCode struct{ area, code, status, reason string }

func publishedCodes(t *testing.T) []publishedCode {
	t.Helper()
	file, err := os.Open("testdata/published-codes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r := csv.NewReader(file)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, 4
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var codes []publishedCode
	for _, row := range rows {
		codes = append(codes, publishedCode{row[0], row[1], row[2], row[3]})
	}
	return codes
}

func TestCatalogueHasPublishedReasons(t *testing.T) {
	t.Parallel()
	rows := publishedCodes(t)
	if len(rows) != 32 {
		t.Fatalf("the fixture has %d rows, want 32", len(rows))
	}
	for _, row := range rows {
		family, isFamily := strings.CutSuffix(row.code, "*")
		if !isFamily {
			if !slices.Contains(core.Codes(), core.Code(row.code)) {
				t.Errorf("%s: %s is not in the catalogue", row.area, row.code)
			}
			if got := core.Reason(core.Code(row.code)); got != row.reason {
				t.Errorf("%s: %s has reason %q, want %q", row.area, row.code, got, row.reason)
			}
			continue
		}
		members := 0
		for _, code := range core.Codes() {
			if strings.HasPrefix(string(code), family) {
				members++
				if got := core.Reason(code); !strings.HasPrefix(got, row.reason) {
					t.Errorf("%s: %s has reason %q, want prefix %q", row.area, code, got, row.reason)
				}
			}
		}
		if members == 0 {
			t.Errorf("%s: %s has no member in the catalogue", row.area, row.code)
		}
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^(deploy|connect|mw|status|auth|http|platform)(:[a-z_]+){1,2}$`)
	codes := core.Codes()
	for _, code := range codes {
		if !form.MatchString(string(code)) {
			t.Errorf("%s does not have the form area:subject:what", code)
		}
		reason := core.Reason(code)
		if len(reason) < 10 || strings.TrimSpace(reason) != reason || strings.ContainsAny(reason, "\n\t") {
			t.Errorf("%s has no sentence: %q", code, reason)
		}
	}
	slices.Sort(codes)
	if got := len(slices.Compact(codes)); got != len(codes) {
		t.Errorf("Codes lists %d codes twice", len(codes)-got)
	}
	if got, want := core.Reason("no:such:code"), core.Reason(core.CodeInternal); got != want {
		t.Errorf("an unknown code has reason %q, want %q", got, want)
	}
}

func TestEveryCodeHasARemedy(t *testing.T) {
	t.Parallel()
	for _, row := range publishedCodes(t) {
		code := core.Code(row.code)
		if strings.HasSuffix(row.code, "*") {
			continue
		}
		remedy := core.Remedy(code)
		if remedy == "" {
			t.Errorf("%s has no remedy", code)
		}
		if got, want := core.NewError(code, "", nil).Reason, row.reason+". "+remedy; got != want {
			t.Errorf("%s has reason %q, want %q", code, got, want)
		}
	}
}
