package httpapi

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nodejitsu/webhooks/core"
)

// schemaOf returns the schema of what v encodes to as JSON. So the document can't
// differ from the code. replaced has other schemas for some of its fields.
func schemaOf(v any, replaced object) object {
	schema := schemaOfType(reflect.TypeOf(v))
	if properties, ok := schema["properties"].(object); ok {
		maps.Copy(properties, replaced)
	}
	return schema
}

func schemaOfType(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[core.Secret]():
		return object{"type": "string"}
	case t == reflect.TypeFor[core.Status]():
		return object{"type": "string", "enum": core.Statuses}
	}
	switch t.Kind() { //nolint:exhaustive // the others are not used
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": []string{"array", "null"}, "items": schemaOfType(t.Elem())}
	case reflect.Pointer:
		return schemaOfType(t.Elem())
	case reflect.Struct:
		return structSchema(t)
	}
	return object{}
}

// structSchema returns the schema of an object with the fields of t.
func structSchema(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, field := range reflect.VisibleFields(t) { // with those of embedded structs
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		properties[name] = schemaOfType(field.Type)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	return object{"type": "object", "properties": properties, "required": required}
}
