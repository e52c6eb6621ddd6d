// Package badge draws badges, which show in a README what became of the latest
// deployment.
package badge

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// State is what a badge shows.
type State string

// The states.
const (
	Unknown   State = "unknown" // or not public
	Deploying State = "deploying"
	Deployed  State = "deployed"
	Failed    State = "failed"
)

// label is what stands left of the state.
const label = "deployment"

const (
	height   = 20
	margin   = 6 // left and right of each text
	baseline = 14
	fontSize = 11
	radius   = 3
)

// dark is the background of the label.
var dark = color.RGBA{0x45, 0x45, 0x48, 0xff} //nolint:gochecknoglobals // a constant

// colour returns the background of a state. White text on it can be read.
func (s State) colour() color.RGBA {
	switch s {
	case Deploying:
		return color.RGBA{0x0b, 0x61, 0xb5, 0xff}
	case Deployed:
		return color.RGBA{0x18, 0x79, 0x4e, 0xff}
	case Failed:
		return color.RGBA{0xc0, 0x26, 0x2d, 0xff}
	}
	return color.RGBA{0x6b, 0x6b, 0x70, 0xff}
}

// SVG returns the badge as an SVG image.
func SVG(s State) ([]byte, error) {
	left, right, err := widths(s)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	text := func(x, width int, text string) {
		fmt.Fprintf(&out, `<text x="%d" y="%d" textLength="%d">%s</text>`, x+margin, baseline, width-2*margin, text)
	}
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" role="img" aria-label="%s: %s">`, left+right, height, label, s)
	fmt.Fprintf(&out, `<title>%s: %s</title><clipPath id="r"><rect width="%d" height="%d" rx="%d"/></clipPath>`, label, s, left+right, height, radius)
	fmt.Fprintf(&out, `<g clip-path="url(#r)"><rect width="%d" height="%d" fill="%s"/><rect x="%d" width="%d" height="%d" fill="%s"/></g>`,
		left, height, hex(dark), left, right, height, hex(s.colour()))
	fmt.Fprintf(&out, `<g fill="#fff" font-family="Helvetica,Arial,sans-serif" font-size="%d">`, fontSize)
	text(0, left, label)
	text(left, right, string(s))
	out.WriteString("</g></svg>\n")
	return out.Bytes(), nil
}

// PNG returns the badge as a PNG image.
func PNG(s State) ([]byte, error) {
	left, right, err := widths(s)
	if err != nil {
		return nil, err
	}
	img := image.NewRGBA(image.Rect(0, 0, left+right, height))
	draw.Draw(img, image.Rect(0, 0, left, height), image.NewUniform(dark), image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(left, 0, left+right, height), image.NewUniform(s.colour()), image.Point{}, draw.Src)
	round(img)
	face, err := newFace()
	if err != nil {
		return nil, err
	}
	defer face.Close() //nolint:errcheck // it does nothing
	d := font.Drawer{Dst: img, Src: image.White, Face: face, Dot: fixed.P(margin, baseline)}
	d.DrawString(label)
	d.Dot = fixed.P(left+margin, baseline)
	d.DrawString(string(s))
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// widths returns the widths of the two parts in pixels.
func widths(s State) (left, right int, err error) {
	face, err := newFace()
	if err != nil {
		return 0, 0, err
	}
	defer face.Close() //nolint:errcheck // it does nothing
	width := func(text string) int { return font.MeasureString(face, text).Ceil() + 2*margin }
	return width(label), width(string(s)), nil
}

func newFace() (font.Face, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	return opentype.NewFace(parsed, &opentype.FaceOptions{Size: fontSize, DPI: 72, Hinting: font.HintingFull})
}

// round makes the corners transparent outside of a circle.
func round(img *image.RGBA) {
	b := img.Bounds()
	for y := range radius {
		for x := range radius {
			beyond := math.Hypot(radius-float64(x)-.5, radius-float64(y)-.5) - radius + .5
			if beyond <= 0 {
				continue
			}
			keep := 1 - min(beyond, 1)
			for _, p := range []image.Point{{x, y}, {b.Max.X - 1 - x, y}, {x, b.Max.Y - 1 - y}, {b.Max.X - 1 - x, b.Max.Y - 1 - y}} {
				c := img.RGBAAt(p.X, p.Y)
				part := func(v uint8) uint8 { return uint8(float64(v) * keep) }
				img.SetRGBA(p.X, p.Y, color.RGBA{part(c.R), part(c.G), part(c.B), part(c.A)})
			}
		}
	}
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
