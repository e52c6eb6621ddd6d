// Package jsonscan reads a few fields of a JSON text that may be 25 MB long,
// in one pass and without building anything for the rest. The whole text is
// validated as strictly as encoding/json does, and more strictly if it could be
// read in two ways:
//
//   - keys match by their exact case ({"ref":…,"REF":…} has one "ref"),
//   - a requested key that occurs twice in its object is an error,
//   - a requested string must be UTF-8,
//   - nesting deeper than [MaxDepth] is an error.
//
// A [Scanner] is a cursor: each method reads the value at the cursor. A value of
// another type than requested reads as the zero value, because senders change
// types over the years. The first error is kept and returned by [Scanner.End].
package jsonscan
