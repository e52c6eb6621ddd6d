package badge_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/nodejitsu/webhooks/httpapi/badge"
)

func TestBadges(t *testing.T) {
	t.Parallel()
	seen := map[string]badge.State{}
	for _, s := range []badge.State{badge.Unknown, badge.Deploying, badge.Deployed, badge.Failed} {
		svg, err := badge.SVG(s)
		if err != nil || !strings.Contains(string(svg), ">"+string(s)+"</text>") {
			t.Errorf("%s: %s, %v", s, svg, err)
		}
		d := xml.NewDecoder(bytes.NewReader(svg))
		for err = nil; err == nil; {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s is not XML: %v", s, err)
		}
		text, err := badge.PNG(s)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		size := img.Bounds().Size()
		if size.Y != 20 || size.X < 80 || size.X > 200 {
			t.Errorf("%s: the size is %v", s, size)
		}
		if _, _, _, alpha := img.At(0, 0).RGBA(); alpha == 0xffff {
			t.Errorf("%s: the corner is not round", s)
		}
		if other, found := seen[string(text)]; found {
			t.Errorf("%s looks like %s", s, other)
		}
		seen[string(text)] = s
	}
}
