package prom

import (
	"encoding/json"
	"errors"
)

// unquote turns a JSON string, with its quotes, into text. Most strings need no work.
func unquote(tok []byte) (string, error) {
	if len(tok) < 2 || tok[0] != '"' || tok[len(tok)-1] != '"' {
		return "", errors.New("bad JSON: not a string")
	}
	inner := tok[1 : len(tok)-1]
	for _, c := range inner {
		if c == '\\' || c < ' ' {
			var s string
			err := json.Unmarshal(tok, &s)
			return s, err
		}
	}
	return string(inner), nil
}
