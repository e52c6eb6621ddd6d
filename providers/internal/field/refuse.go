package field

import (
	"errors"

	"github.com/nodejitsu/webhooks/core"
	"github.com/nodejitsu/webhooks/providers/internal/jsonscan"
)

// Refuse returns the error for a payload that is not supported. The reason is a
// sentence for its sender.
func Refuse(reason string) error {
	return core.NewError(core.CodeProviderNotSupported, reason, nil)
}

// Unreadable returns the error for a payload that jsonscan refused with err.
func Unreadable(err error) error {
	reason := "The payload is not valid JSON; send it whole and unchanged"
	switch {
	case errors.Is(err, jsonscan.ErrDepth):
		reason = "The payload is nested too deeply; send it unchanged"
	case errors.Is(err, jsonscan.ErrDuplicate):
		reason = "A field of the payload occurs twice, so its value is ambiguous; send it unchanged"
	case errors.Is(err, jsonscan.ErrUTF8):
		reason = "A string in the payload is not UTF-8; send it as UTF-8"
	}
	return core.NewError(core.CodeProviderNotSupported, reason, err)
}
