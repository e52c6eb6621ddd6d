package dashboard

import (
	"fmt"
	"slices"

	"github.com/nodejitsu/webhooks/core"
)

const (
	chartBars   = 40
	chartHeight = 64 // of the highest bar
	barWidth    = 8
	barGap      = 4
)

// chart is a plot of the latest deployments: a bar for each, as high as it took
// long, in the colour of its outcome.
type chart struct {
	Bars          []bar
	Width, Height int
	Text          string // the same in words
}

type bar struct {
	X, Y, Height int
	Status       core.Status
	ID, Title    string
}

// newChart returns the chart of entries, which are in the order of the newest
// first. It has no bars if none was deployed.
func newChart(entries []core.Entry) chart {
	c := chart{Height: chartHeight}
	var longest int64
	for _, e := range entries {
		if !deploys(e) || e.Kind == core.EventRelease || (e.Status != core.StatusOK && e.Status != core.StatusError) || e.FinishedAt.IsZero() || len(c.Bars) == chartBars {
			continue
		}
		millis := spent(e)
		longest = max(longest, millis)
		c.Bars = append(c.Bars, bar{
			Height: int(millis), Status: e.Status, ID: e.ID,
			Title: fmt.Sprintf("%s: %s in %s", e.App, statusWord(e.Status), duration(millis)),
		})
	}
	slices.Reverse(c.Bars)
	failed := 0
	for i := range c.Bars {
		b := &c.Bars[i]
		b.Height = max(int(int64(b.Height)*chartHeight/max(longest, 1)), 3)
		b.X, b.Y = i*(barWidth+barGap), chartHeight-b.Height
		if b.Status == core.StatusError {
			failed++
		}
	}
	c.Width = chartBars * (barWidth + barGap)
	c.Text = fmt.Sprintf("The last %d deployments: %d failed, the longest took %s.", len(c.Bars), failed, duration(longest))
	return c
}

// spent returns how long the steps of an entry took, in milliseconds: the time that
// it waited for its gate does not count.
func spent(e core.Entry) (millis int64) {
	for _, s := range e.Steps {
		millis += s.Millis
	}
	return millis
}
