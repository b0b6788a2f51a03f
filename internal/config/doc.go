// Package config reads slowburn.yaml: where Prometheus is, which SLO files there are, who is told
// and how.
//
// A [Config] is a value. [Load] reads it strictly: an unknown key, a malformed duration or a
// receiver that does not exist is a problem with file, line, column and a hint, and all problems of
// a file are told at once. Nothing here connects to anything; internal/daemon makes clients and
// receivers of what stands here.
package config
