package traces

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/core/redact"
)

// OpenTelemetry's variables of the environment that are read here. The SDK reads them
// again, and others.
const (
	endpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	headers        = "OTEL_EXPORTER_OTLP_HEADERS"
	tracesHeaders  = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
	protocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	tracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// Enabled reports whether OpenTelemetry's variables of the environment ask for traces.
// lookup returns the value of a variable, "" if it is not set. It fails if they ask for
// a protocol that is not supported, or have an invalid endpoint or header: the SDK
// would pass over these, and print a header with its value.
func Enabled(lookup func(variable string) string) (bool, error) {
	switch {
	case lookup(endpoint) == "" && lookup(tracesEndpoint) == "",
		strings.EqualFold(lookup("OTEL_SDK_DISABLED"), "true"), lookup("OTEL_TRACES_EXPORTER") == "none":
		return false, nil
	case lookup(protocol) == "grpc" || lookup(tracesProtocol) == "grpc":
		return false, errors.New(protocol + ": traces are not sent by grpc: unset it, and name the HTTP endpoint of the collector, usually port 4318")
	}
	_, err := credentials(lookup)
	return err == nil, err
}

// credentials returns a Redactor of what the variables have a request to the collector
// send as credentials: the values of its headers, and what is in its URL.
func credentials(lookup func(variable string) string) (*redact.Redactor, error) {
	var values []string
	for _, variable := range []string{headers, tracesHeaders} {
		for pair := range strings.SplitSeq(lookup(variable), ",") {
			if strings.TrimSpace(pair) == "" {
				continue
			}
			name, encoded, found := strings.Cut(pair, "=")
			value, err := url.PathUnescape(encoded)
			if !found || err != nil || !isToken(strings.TrimSpace(name)) {
				return nil, errors.New(variable + ": want name=value pairs with commas between them, with values that are percent-encoded") // without the value
			}
			values = append(values, strings.TrimSpace(value))
		}
	}
	to := &url.URL{}
	for _, variable := range []string{endpoint, tracesEndpoint} {
		if lookup(variable) == "" {
			continue
		}
		u, err := url.Parse(lookup(variable))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("%s: want http(s)://host[:port][/path]", variable)
		}
		to = u // the second one counts
	}
	// Any header may have a credential, in the form of this one.
	return redact.Request(&http.Request{URL: to, Header: http.Header{"Authorization": values}}), nil
}

// isToken reports whether a text may be the name of a header (RFC 9110, 5.6.2).
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}
