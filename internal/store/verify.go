package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"
)

// Audit is what a walk over the log of acts has found.
type Audit struct {
	Head Place // of the chain, as the store records it
	// Began is when the chain began, and First the first act that was sealed when it was recorded:
	// those before were sealed as they were found. Began is zero if there were none.
	Began  time.Time
	First  int64
	Acts   int64      // that were looked at
	Faults []LogFault // the first of them, by number
	Found  int        // how many there are
	Until  Place      // where the walk came to; the next may go on from here
}

// mostFaults bounds how many faults are listed.
const mostFaults = 100

// LogFault is something in the log of acts that slowburn has not written.
type LogFault struct {
	Kind     LogFaultKind
	From, To int64  // the numbers of the acts
	Key      string // of the act, if there is one
}

// LogFaultKind is what kind of fault it is.
type LogFaultKind string

// The faults.
const (
	ActsMissing  LogFaultKind = "missing"  // rows were deleted
	ActAltered   LogFaultKind = "altered"  // the hash is not that of the act and the one before it: one of both was edited, or sealed anew
	ActMisfiled  LogFaultKind = "misfiled" // the columns, or the checksum, are not those of the act
	HeadAltered  LogFaultKind = "head"     // the log does not end where the store says that it does
	HeadMissing  LogFaultKind = "no_head"  // the store does not say where it ends
	NotPublished LogFaultKind = "told"     // what was told as the head is not in the log
)

// Verify walks over the log of acts after a place, from its beginning if that is the zero Place,
// and checks that it is what was written; of places that were told it checks that they are in it.
// It reads in pieces, and holds up nobody.
func (db records) Verify(ctx context.Context, from Place, told ...Place) (Audit, error) {
	a := Audit{Until: from}
	newest, err := a.readHead(ctx, db)
	if err != nil {
		return a, err
	}
	if err := a.compare(ctx, db, from, ActAltered); err != nil {
		return a, err
	}
	for a.Until.Seq < newest {
		links, err := db.links(ctx, a.Until.Seq)
		if err != nil {
			return a, err
		}
		for _, l := range links {
			if l.seq <= newest {
				a.check(l)
			}
		}
		if len(links) < sealPage {
			break
		}
	}
	a.end(newest)
	for _, place := range told {
		if err := a.compare(ctx, db, place, NotPublished); err != nil {
			return a, err
		}
	}
	slices.SortStableFunc(a.Faults, func(x, y LogFault) int { return int(x.From - y.From) })
	return a, nil
}

// readHead reads what the store says of its chain, and the number of the newest act, in one view.
func (a *Audit) readHead(ctx context.Context, db records) (newest int64, err error) {
	var known bool
	_, err = read(ctx, db.connections, "verify", func(ctx context.Context, q querier) (none struct{}, err error) {
		err = each(ctx, q, func(rows *sql.Rows) error {
			var began int64
			known = true
			err := rows.Scan(&began, &a.First, &a.Head.Seq, &a.Head.Hash, &newest)
			a.Began = timeOf(began)
			return err
		}, sqlChainAndNewest)
		if err == nil && !known {
			err = each(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&newest) }, sqlNewestAct)
		}
		return none, err
	})
	if err == nil && !known {
		a.fault(LogFault{Kind: HeadMissing})
	}
	return newest, err
}

func (db records) links(ctx context.Context, after int64) ([]link, error) {
	return read(ctx, db.connections, "verify", func(ctx context.Context, q querier) ([]link, error) {
		return readLinks(ctx, q, after, sealPage)
	})
}

// check looks at the next row of the log.
func (a *Audit) check(l link) {
	a.Acts++
	missing := l.seq > a.Until.Seq+1 && l.seq > a.First
	if missing {
		a.fault(LogFault{Kind: ActsMissing, From: max(a.Until.Seq+1, a.First), To: l.seq - 1})
	}
	switch {
	case l.hash != sealAct(a.Until.Hash, l.seq, l.data) && !missing: // else it follows one that is not there
		a.fault(LogFault{ActAltered, l.seq, l.seq, l.key})
	case l.misfiled():
		a.fault(LogFault{ActMisfiled, l.seq, l.seq, l.key})
	}
	a.Until = Place{l.seq, l.hash}
}

// end compares where the log ends with where the store says that it does.
func (a *Audit) end(newest int64) {
	switch {
	case a.Head.Hash == "" && a.Head.Seq == 0 && newest == 0, a.Found > 0 && a.Head.Seq == 0:
	case newest < a.Head.Seq && newest+1 >= a.First:
		a.fault(LogFault{Kind: ActsMissing, From: newest + 1, To: a.Head.Seq})
	case a.Until != a.Head:
		a.fault(LogFault{Kind: HeadAltered, From: a.Head.Seq, To: newest})
	}
}

// compare looks whether a place is in the log; the zero Place always is.
func (a *Audit) compare(ctx context.Context, db records, p Place, kind LogFaultKind) error {
	if p == (Place{}) {
		return nil
	}
	same := false
	err := db.each(ctx, "verify", func(rows *sql.Rows) error {
		var hash string
		err := rows.Scan(&hash)
		same = p.Hash != "" && strings.HasPrefix(hash, p.Hash)
		return err
	}, sqlHash, p.Seq)
	if err == nil && !same {
		a.fault(LogFault{Kind: kind, From: p.Seq, To: p.Seq})
	}
	return err
}

func (a *Audit) fault(f LogFault) {
	if a.Found++; len(a.Faults) < mostFaults {
		a.Faults = append(a.Faults, f)
	}
}
