package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// table is the outcome of an area: a row for each contender, the first of
// which the others are compared with.
type table struct {
	area  string
	title string
	unit  string // of the figure, "a second" or "ms"
	rows  []row
}

// row has what the rounds of one contender came to.
type row struct {
	contender string
	figures   []float64     // one a round
	cpu       time.Duration // for each operation; 0: not measured
	peak      int64         // bytes
	note      string
}

func (r row) median() float64 {
	if len(r.figures) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.figures))
	return sorted[len(sorted)/2]
}

// columns returns the row as text, its figure compared with that of another.
func (r row) columns(than row) []string {
	ratio, cpu, peak := "", "", ""
	if m := than.median(); m > 0 {
		ratio = fmt.Sprintf("%.2f", r.median()/m)
	}
	if r.cpu > 0 {
		cpu = figure(float64(r.cpu.Nanoseconds())/1000) + " µs"
	}
	if r.peak > 0 {
		peak = fmt.Sprintf("%d MB", r.peak>>20)
	}
	spread := ""
	if len(r.figures) > 1 {
		spread = figure(slices.Min(r.figures)) + " – " + figure(slices.Max(r.figures))
	}
	return []string{r.contender, figure(r.median()), spread, ratio, cpu, peak, r.note}
}

// figure writes a number with three digits that count.
func figure(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

func (t table) headings() []string {
	return []string{"measured", t.unit, "spread", "ratio", "CPU each", "peak memory", "remarks"}
}

// write writes the table for a terminal.
func (t table) write(w io.Writer) {
	_, _ = fmt.Fprintf(w, "\n%s\n", t.title)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(tw, strings.Join(t.headings(), "\t"))
	for _, r := range t.rows {
		_, _ = fmt.Fprintln(tw, strings.Join(r.columns(t.rows[0]), "\t"))
	}
	_ = tw.Flush()
}

// markdown returns the table for the page.
func (t table) markdown() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "### %s\n\n| %s |\n|%s\n", t.title, strings.Join(t.headings(), " | "), strings.Repeat(" --- |", len(t.headings())))
	for _, r := range t.rows {
		_, _ = fmt.Fprintf(&b, "| %s |\n", strings.Join(r.columns(t.rows[0]), " | "))
	}
	return b.String()
}

// writePage writes the tables into a page: those of an area between its two
// markers, which are comments of Markdown.
func writePage(path string, tables []table) error {
	page, err := os.ReadFile(path) //nolint:gosec // the page that the command line names
	if err != nil {
		return err
	}
	byArea := map[string][]string{}
	for _, t := range tables {
		byArea[t.area] = append(byArea[t.area], t.markdown())
	}
	for area, texts := range byArea {
		begin, end := "<!-- bench:"+area+" -->\n", "<!-- /bench:"+area+" -->"
		head, rest, found := bytes.Cut(page, []byte(begin))
		_, tail, closed := bytes.Cut(rest, []byte(end))
		if !found || !closed {
			return fmt.Errorf("%s has no markers for the area %s", path, area)
		}
		page = slices.Concat(head, []byte(begin+"\n"+strings.Join(texts, "\n")+"\n"+end), tail)
	}
	return os.WriteFile(path, page, 0o644) //nolint:gosec // a page for everybody
}
