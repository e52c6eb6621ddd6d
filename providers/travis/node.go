package travis

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

const tagNull = "!!null"

// maxSize is the maximum size of a document with its aliases resolved, as expanded
// measures it. A file of MaxConfig without aliases is much smaller.
const maxSize = 2 << 20

// expanded returns the size of n with its aliases resolved, a bound for the work of
// reading it: one for each node, and one for two bytes of text, which may be split. It
// is more than maxSize for an alias that contains itself.
func expanded(n *yaml.Node, known map[*yaml.Node]int) int {
	if size, found := known[n]; found {
		return size
	}
	known[n] = maxSize + 1 // its size within itself
	size := 1 + len(n.Value)/2
	if n.Alias != nil {
		size += expanded(n.Alias, known)
	}
	for _, child := range n.Content {
		size = min(size+expanded(child, known), maxSize+1)
	}
	known[n] = size
	return size
}

// resolve returns the node that n is an alias of, or n itself.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// items returns the elements of a list, or n itself as the only one, or nothing for
// the zero Node.
func items(n *yaml.Node) []*yaml.Node {
	switch n.Kind {
	case 0:
		return nil
	case yaml.SequenceNode:
		list := make([]*yaml.Node, 0, len(n.Content))
		for _, item := range n.Content {
			list = append(list, resolve(item))
		}
		return list
	}
	return []*yaml.Node{n}
}

// value returns the last value that a mapping has under one of keys, its own before
// those that it merges in ("<<"); the zero Node if there is none.
func value(n *yaml.Node, keys ...string) *yaml.Node {
	found, merged := &yaml.Node{}, &yaml.Node{}
	if n.Kind != yaml.MappingNode {
		return found
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, child := resolve(n.Content[i]), resolve(n.Content[i+1])
		if key.Tag == "!!merge" {
			for _, other := range items(child) {
				if v := value(other, keys...); merged.Kind == 0 {
					merged = v
				}
			}
			continue
		}
		for _, wanted := range keys {
			if key.Kind == yaml.ScalarNode && word(key.Value) == wanted {
				found = child
			}
		}
	}
	if found.Kind == 0 {
		return merged
	}
	return found
}

// word returns a word in the form in which words are compared. A colon before it, as
// Ruby's symbols have, is removed.
func word(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), ":"), "-", "_")
}

// truth reads a boolean of YAML 1.1, which Travis CI reads.
func truth(n *yaml.Node) (is, ok bool) {
	if n.Kind != yaml.ScalarNode {
		return false, false
	}
	switch word(n.Value) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}
