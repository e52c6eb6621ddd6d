// Package jsonscan reads a few fields of a JSON text that may be 25 MB long,
// in one pass and without building anything for the rest. The whole text is
// checked as strictly as encoding/json checks it, and more strictly where a
// webhook could be made to mean two things:
//
//   - keys match by their exact case ({"ref":…,"REF":…} has one "ref"),
//   - a key that is asked for and comes twice in its object is refused,
//   - a text that is asked for must be UTF-8,
//   - nesting deeper than [MaxDepth] is refused.
//
// A [Scanner] is a cursor: each method reads the value that it stands at, and
// a value of another type than asked for reads as none, because senders change
// types over the years. The first failure sticks and is what [Scanner.End]
// returns.
package jsonscan
