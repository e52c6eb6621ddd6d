package drones

import "time"

// Stream says where a line of a log comes from.
type Stream string

// The streams of a log.
const (
	Stdout   Stream = "stdout"
	Stderr   Stream = "stderr"
	Platform Stream = "platform" // what the supervisor itself says
)

// Line is a line of an app's log.
type Line struct {
	Time   time.Time `json:"time"`
	Drone  int       `json:"drone"` // counted from 1 within the app's drones
	Stream Stream    `json:"stream"`
	Text   string    `json:"text"` // valid UTF-8 without the newline, at most 64 KiB
}
