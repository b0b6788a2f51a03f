package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver of the store's file
)

// logProbes change the audit log behind the daemon's back, as whoever has the file can.
func logProbes() (all []probe) {
	for _, p := range []struct{ name, change string }{
		{"an act that is deleted", "delete from acts where seq = $seq"},
		{"an act that is edited", "update acts set data = replace(data, 'toil', 'fun') where seq = $seq"},
		{"an act that is edited and has the right sum", ""},
	} {
		all = append(all, probe{door: "audit log", name: p.name + " is found, and the daemon goes on", try: tampered(p.change)})
	}
	return all
}

// tampered starts a daemon, has something written down, stops it, changes the log, starts it again
// and asks.
func tampered(change string) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		if c.binary == "" {
			return skip("needs the program: give -binary")
		}
		own, err := build(ctx, c.binary, plans["bank"])
		if own != nil {
			defer own.tearDown()
		}
		if err != nil {
			return err
		}
		for n := range 3 {
			a, err := own.do(ctx, headToken, "/api/v1/acts", map[string]any{"key": fmt.Sprint("work ", n), "kind": "work", "by": "Ada", "facts": map[string]string{"minutes": "1", "kind": "toil"}})
			if err == nil {
				err = oneOf(a, http.StatusOK)
			}
			if err != nil {
				return err
			}
		}
		if err := own.halt(); err != nil {
			return err
		}
		if err := edit(filepath.Join(own.dir, "data", "slowburn.db"), change); err != nil {
			return err
		}
		if err := own.start(ctx); err != nil {
			return err
		}
		out, code, err := own.cli(ctx, []string{"SLOWBURN_WRITE_TOKEN=" + headToken}, "audit", "--verify")
		if err == nil && code == 0 {
			err = errors.New("not found: " + out)
		}
		return err
	}
}

// edit changes the second act of a store. Without a statement it is edited with its sum.
func edit(file, statement string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	defer db.Close()
	var seq int64
	var data string
	if err := db.QueryRow("select seq, data from acts order by seq limit 1 offset 1").Scan(&seq, &data); err != nil {
		return err
	}
	if statement != "" {
		_, err = db.Exec(strings.ReplaceAll(statement, "$seq", fmt.Sprint(seq)))
		return err
	}
	data = strings.ReplaceAll(data, "Ada", "Eve")
	_, err = db.Exec("update acts set data = ?, sum = ? where seq = ?", data, int64(crc32.Checksum([]byte(data), crc32.MakeTable(crc32.Castagnoli))), seq)
	return err
}
