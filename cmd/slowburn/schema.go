package main

import (
	"github.com/slowburn-sre/slowburn/internal/config"
	"github.com/slowburn-sre/slowburn/slo/file"
)

type schemaCmd struct {
	Of string `arg:"" optional:"" help:"slo is the SLO file, config is slowburn.yaml, corrections is the file of corrections." enum:"slo,config,corrections" default:"slo"`
}

// Run prints a JSON Schema, for editors that complete and check YAML while it is typed.
func (c *schemaCmd) Run(e *env) error {
	s := file.Schema()
	switch c.Of {
	case "config":
		s = config.Schema()
	case "corrections":
		s = file.CorrectionsSchema()
	}
	_, err := e.out.Write(s.JSON())
	return err
}
