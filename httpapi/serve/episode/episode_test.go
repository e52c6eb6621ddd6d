package episode_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodejitsu/webhooks/httpapi/serve/episode"
)

func TestEpisode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		e := episode.New(logger, slog.LevelWarn, "logins throttled")
		e.Add("address", "192.0.2.1")
		time.Sleep(500 * time.Millisecond)
		for range 89 { // for a minute and a half
			e.Add("address", "192.0.2.1")
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		e.Add("address", "192.0.2.2") // another one
		time.Sleep(time.Minute)
		synctest.Wait()
		want := `level=WARN msg="logins throttled" address=192.0.2.1
level=WARN msg="logins throttled, continuing" count=60
level=WARN msg="logins throttled, continuing" count=29
level=WARN msg="logins throttled, ended" count=90 duration_s=88
level=WARN msg="logins throttled" address=192.0.2.2
level=WARN msg="logins throttled, ended" count=1 duration_s=0
`
		if log.String() != want {
			t.Errorf("got\n%swant\n%s", log.String(), want)
		}
		if strings.Count(log.String(), "192.0.2.1") != 1 {
			t.Error("each time is logged")
		}
	})
}
