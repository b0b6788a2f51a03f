package notify

import (
	"bytes"
	"encoding/json"
)

// JSON writes a value that can always be written, without escaping what only HTML needs escaped.
func JSON(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("notify: " + err.Error()) // a mistake in the code: messages are made of plain values
	}
	return bytes.TrimSpace(b.Bytes())
}
