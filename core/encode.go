package core

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// EncodedChange is a change whose entry is encoded once, for the store and for the
// feed. The fields of the entry that stores set are beside
// it, so that a store can set them without encoding the entry again.
type EncodedChange struct {
	Seq       Seq
	Order     int64
	Revision  int64
	Attempts  int
	UpdatedAt time.Time
	Entry     []byte // of EncodeEntry
}

// EncodeEntry encodes e without Order, Revision, Attempts and UpdatedAt. The
// result is for an EncodedChange only.
//
// It is App, Status and the short form of the feed, each with its length before
// it, and then e as a JSON object.
func EncodeEntry(e Entry) ([]byte, error) {
	short, err := encodeShort(e)
	if err != nil {
		return nil, err
	}
	// If two fields have the same name, the outer one is used.
	doc, err := encode(struct {
		Entry
		Order     *int64     `json:"order,omitempty"`
		Revision  *int64     `json:"revision,omitempty"`
		Attempts  *int       `json:"attempts,omitempty"`
		UpdatedAt *time.Time `json:"updated_at,omitempty"`
	}{Entry: e})
	if err != nil {
		return nil, err
	}
	encoded := make([]byte, 0, len(e.App)+len(e.Status)+len(short)+len(doc)+3*binary.MaxVarintLen32)
	for _, part := range [][]byte{[]byte(e.App), []byte(e.Status), short} {
		encoded = binary.AppendUvarint(encoded, uint64(len(part)))
		encoded = append(encoded, part...)
	}
	return append(encoded, doc...), nil
}

// EncodeChange encodes c.
func EncodeChange(c Change) (EncodedChange, error) {
	e := c.Entry
	encoded, err := EncodeEntry(e)
	return EncodedChange{
		Seq: c.Seq, Order: e.Order, Revision: e.Revision, Attempts: e.Attempts, UpdatedAt: e.UpdatedAt, Entry: encoded,
	}, err
}

var errDamaged = errors.New("core: the encoded entry is damaged")

// parts splits an encoded entry.
func (c EncodedChange) parts() (app, status, short, doc []byte, err error) {
	doc = c.Entry
	for _, part := range []*[]byte{&app, &status, &short} {
		size, n := binary.Uvarint(doc)
		if n <= 0 || size > uint64(len(doc)-n) { //nolint:gosec // n is at most the length
			return nil, nil, nil, nil, errDamaged
		}
		*part, doc = doc[n:n+int(size)], doc[n+int(size):] //nolint:gosec // less than the length
	}
	if len(short) == 0 || len(doc) < 2 || doc[0] != '{' {
		return nil, nil, nil, nil, errDamaged
	}
	return app, status, short, doc, nil
}

// Decode returns the change.
func (c EncodedChange) Decode() (Change, error) {
	_, _, _, doc, err := c.parts()
	if err != nil {
		return Change{}, err
	}
	change := Change{Seq: c.Seq}
	if err := json.Unmarshal(doc, &change.Entry); err != nil {
		return Change{}, fmt.Errorf("%w: %w", errDamaged, err)
	}
	change.Entry.Order, change.Entry.Revision = c.Order, c.Revision
	change.Entry.Attempts, change.Entry.UpdatedAt = c.Attempts, c.UpdatedAt
	return change, nil
}

// Line returns the change as the feed writes it.
func (c EncodedChange) Line() (Line, error) {
	app, status, short, doc, err := c.parts()
	if err != nil {
		return Line{}, err
	}
	line := newLine(c.Seq, string(app), Status(status), short)
	line.doc = make([]byte, 0, len(doc)+128)
	line.doc = append(line.doc, doc[:len(doc)-1]...)
	line.doc = append(line.doc, `,"order":`...)
	line.doc = strconv.AppendInt(line.doc, c.Order, 10)
	line.doc = append(line.doc, `,"revision":`...)
	line.doc = strconv.AppendInt(line.doc, c.Revision, 10)
	line.doc = append(line.doc, `,"attempts":`...)
	line.doc = strconv.AppendInt(line.doc, int64(c.Attempts), 10)
	line.doc = append(line.doc, `,"updated_at":"`...)
	line.doc = c.UpdatedAt.AppendFormat(line.doc, time.RFC3339Nano)
	line.doc = append(line.doc, `"}`...)
	return line, nil
}

// newLine returns a line without a doc.
func newLine(seq Seq, app string, status Status, short []byte) Line {
	line := Line{Seq: seq, App: app, Status: status, tail: short}
	line.head = append(line.head, `{"seq":"`...)
	line.head = append(line.head, seq.String()...)
	line.head = append(line.head, '"')
	if line.linked = short[0] != ','; line.linked { // an entry without a user has no URL
		line.head = append(line.head, `,"id":"`...)
	}
	return line
}

// encodeShort returns the part of an entry's line that follows the seq and the base
// URL: the rest of the string with the entry's URL, if it has one, and the fields
// other than doc.
func encodeShort(e Entry) ([]byte, error) {
	short := struct {
		App      string    `json:"app_name"`
		UUID     string    `json:"uuid"`
		Status   Status    `json:"status"`
		Provider Provider  `json:"provider"`
		Commit   string    `json:"commit"` // "" if the event has none
		Step     ShortStep `json:"step,omitzero"`
		Error    Code      `json:"error,omitempty"`
		Reason   string    `json:"reason,omitempty"`
		URL      string    `json:"url,omitempty"`
	}{App: e.App, UUID: e.UUID, Status: e.Status, Provider: e.Provider, Reason: e.Reason, URL: e.URL}
	if n := len(e.Steps); n > 0 {
		short.Step = ShortStep{Name: e.Steps[n-1].Name, State: e.Steps[n-1].State}
	}
	if e.Commit.ID != "" {
		short.Commit = e.Repository.Slug() + "/" + e.Commit.ID
	}
	if e.Status == StatusError && e.Error != nil {
		short.Error, short.Reason = e.Error.Code, e.Error.Reason
	}
	if e.Status == StatusOK && e.Reason == "" {
		// The sender's list of deliveries and the feed have no other place for them.
		short.Reason = strings.Join(e.Notes, ". ")
	}
	fields, err := encode(short)
	if err != nil {
		return nil, err
	}
	fields[0] = ',' // instead of the opening brace
	fields = fields[:len(fields)-1]
	if e.User == "" {
		return fields, nil
	}
	path, err := encode("/1/status/" + e.User + "/changes/" + e.ID)
	if err != nil {
		return nil, err
	}
	return append(path[1:], fields...), nil
}
