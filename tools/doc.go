// Package tools holds what is needed to work on slowburn and is no part of it: the pinned tools
// (go.mod), two scripts, and the tests about the repository itself. Those read the source of the
// product as text and as syntax trees; they say which rules of the house a change has broken, and
// where.
//
//	go -C tools test ./...
package tools
