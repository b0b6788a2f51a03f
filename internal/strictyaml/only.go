package strictyaml

import "slices"

// Only returns a map without the keys that are not named, for decoding into a struct that shares
// its map with other settings. Places stay as they are.
func (v Value) Only(keys ...string) Value {
	if !v.IsMap() {
		return v
	}
	node := *v.node
	node.Content = nil
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		if slices.Contains(keys, v.node.Content[i].Value) {
			node.Content = append(node.Content, v.node.Content[i:i+2]...)
		}
	}
	only := v
	only.node = &node
	return only
}
