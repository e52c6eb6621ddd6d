package traces

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"github.com/nodejitsu/webhooks/core"
)

// FromEnvironment returns the options that OpenTelemetry's environment variables ask
// for. lookup returns the value of a variable, "" if it is not set. ok is false if no
// endpoint is set, or the SDK is disabled: no traces are sent then.
func FromEnvironment(lookup func(name string) string) (o Options, ok bool, err error) {
	o.URL = lookup("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	name := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	if base := lookup("OTEL_EXPORTER_OTLP_ENDPOINT"); o.URL == "" && base != "" {
		name, o.URL = "OTEL_EXPORTER_OTLP_ENDPOINT", strings.TrimRight(base, "/")+"/v1/traces"
	}
	if o.URL == "" || strings.EqualFold(lookup("OTEL_SDK_DISABLED"), "true") || lookup("OTEL_TRACES_EXPORTER") == "none" {
		return Options{}, false, nil
	}
	if u, err := url.Parse(o.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return Options{}, false, fmt.Errorf("%s: want http(s)://host[:port][/path]", name)
	}
	if lookup("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" || lookup("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") == "grpc" {
		return Options{}, false, errors.New("OTEL_EXPORTER_OTLP_PROTOCOL: traces are sent by http/json: name the HTTP endpoint of the collector, usually port 4318")
	}
	if o.Headers, err = headers(lookup("OTEL_EXPORTER_OTLP_HEADERS")); err == nil {
		var more map[string]core.Secret
		more, err = headers(lookup("OTEL_EXPORTER_OTLP_TRACES_HEADERS"))
		maps.Copy(o.Headers, more)
	}
	if o.Service = lookup("OTEL_SERVICE_NAME"); o.Service == "" {
		o.Service = "webhooks"
	}
	return o, err == nil, err
}

// headers reads a list of headers, such as "api-key=secret,x-tenant=one", with values
// that are percent-encoded.
func headers(text string) (map[string]core.Secret, error) {
	all := map[string]core.Secret{}
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, encoded, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(encoded))
		if !found || err != nil || strings.TrimSpace(name) == "" || strings.ContainsAny(value, "\r\n") {
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS: want name=value pairs with commas between them") // without the value
		}
		all[strings.TrimSpace(name)] = core.NewSecret(value)
	}
	return all, nil
}
