package main

import "github.com/slowburn-sre/slowburn/internal/schema"

type schemaCmd struct {
	Of string `arg:"" optional:"" help:"slo is the SLO file, config is slowburn.yaml, corrections is the file of corrections." enum:"slo,config,corrections" default:"slo"`
}

// Run prints a JSON Schema, for editors that complete and check YAML while it is typed.
func (c *schemaCmd) Run(e *env) error {
	s := schema.SLO()
	switch c.Of {
	case "config":
		s = schema.Config()
	case "corrections":
		s = schema.Corrections()
	}
	_, err := e.out.Write(s.JSON())
	return err
}
