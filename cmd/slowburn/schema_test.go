package main

import (
	"bytes"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/slo/file"
)

func TestSchemaCommand(t *testing.T) {
	for of, want := range map[string][]byte{"slo": file.Schema().JSON(), "config": config.Schema().JSON(), "corrections": file.CorrectionsSchema().JSON()} {
		var out bytes.Buffer
		if err := (&schemaCmd{Of: of}).Run(&env{surroundings: surroundings{out: &out}}); err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("schema %s: %v", of, err)
		}
	}
}
