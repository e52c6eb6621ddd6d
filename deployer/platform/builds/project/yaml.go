package project

import "strings"

// topLevel returns the keys at the top of a YAML text, with the value of those
// that have a scalar, or the items of those that have a list. It reads what
// package managers and people write in their settings, and no more than that.
func topLevel(text string) map[string][]string {
	found := map[string][]string{}
	key := ""
	for line := range strings.Lines(strings.TrimPrefix(text, bom)) {
		line = strings.TrimRight(line, " \t\r\n")
		trimmed := strings.TrimLeft(line, " \t")
		switch {
		case trimmed == "" || trimmed[0] == '#' || strings.HasPrefix(line, "---"):
		case trimmed[0] == '-' && key != "":
			found[key] = append(found[key], scalar(trimmed[1:])...)
		case len(trimmed) < len(line):
			// It is below a key, and not an item of its list.
		default:
			name, value, ok := strings.Cut(trimmed, ":")
			if key = ""; ok {
				key = strings.Trim(name, `"'`)
				found[key] = append(found[key], scalar(value)...)
			}
		}
	}
	return found
}

// scalar returns the value of a scalar or the items of a list in brackets.
func scalar(text string) []string {
	text = strings.TrimSpace(text)
	if inner, ok := strings.CutPrefix(text, "["); ok {
		var items []string
		inner, _, _ = strings.Cut(inner, "]")
		for item := range strings.SplitSeq(inner, ",") {
			items = append(items, scalar(item)...)
		}
		return items
	}
	if text == "" {
		return nil
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		inner, _, _ := strings.Cut(text[1:], string(quote))
		return []string{inner}
	}
	text, _, _ = strings.Cut(text, " #")
	return []string{strings.TrimSpace(text)}
}
