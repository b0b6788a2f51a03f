package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slowburn-sre/slowburn/alerting"
)

// The log of acts is a chain. The hash of an act covers the hash of the one before it, its number,
// and its JSON exactly as it is stored:
//
//	hash(n) = hex(SHA-256("slowburn act 1\n" hash(n-1) "\n" n "\n" JSON(n)))
//
// with the empty text as hash(0). What was stored is never encoded anew, so the hashes stay what
// they are when an act gets new fields. The numbers have no gaps from the first act that was sealed
// when it was recorded. A row that is deleted, edited or sealed anew breaks the chain; who computes
// all of it anew has another head, and the heads are told where a database does not reach: in the
// log, in reports and as a metric.

// Place is an act in the log: its number and its hash, or the beginning of that.
type Place struct {
	Seq  int64
	Hash string
}

// shownHash is how many digits of a hash are told: 64 bits.
const shownHash = 16

// String returns the place as it is told, NUMBER:HASH with the beginning of the hash; "" for none.
func (p Place) String() string {
	if p.Seq == 0 {
		return ""
	}
	return fmt.Sprintf("%d:%s", p.Seq, p.Hash[:min(len(p.Hash), shownHash)])
}

// leastHash is how many digits of a hash name an act: 48 bits, as a metric has them.
const leastHash = 12

// ParsePlace reads what [Place.String] has written, with 12 to 64 digits of the hash.
func ParsePlace(text string) (Place, error) {
	number, digits, _ := strings.Cut(strings.TrimSpace(text), ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	_, odd := hex.DecodeString(digits + strings.Repeat("0", len(digits)%2))
	if err != nil || odd != nil || seq < 1 || len(digits) < leastHash || len(digits) > 2*sha256.Size {
		return Place{}, fmt.Errorf("%q is no head of the log, such as 1234:9f86d081884c7d65", text)
	}
	return Place{seq, strings.ToLower(digits)}, nil
}

// Number returns the first 48 bits of the hash as a number, which a float64 holds exactly.
func (p Place) Number() uint64 {
	n, _ := strconv.ParseUint(p.Hash[:min(len(p.Hash), leastHash)], 16, 64)
	return n
}

// sealAct returns the hash of an act that follows another.
func sealAct(before string, seq int64, text string) string {
	h := sha256.New()
	_, _ = io.WriteString(h, "slowburn act 1\n"+before+"\n"+strconv.FormatInt(seq, 10)+"\n"+text)
	return hex.EncodeToString(h.Sum(nil))
}

// chainRow is what the store says of its chain beside the acts.
type chainRow struct {
	began time.Time
	first int64
	head  Place
}

func readChain(ctx context.Context, q querier) (c chainRow, known bool, err error) {
	err = each(ctx, q, func(rows *sql.Rows) error {
		var began int64
		err := rows.Scan(&began, &c.first, &c.head.Seq, &c.head.Hash)
		c.began, known = timeOf(began), true
		return err
	}, sqlChain)
	return c, known, err
}

// TakenError is why a tick was not committed: the key of one of its acts is that of another, which
// is stored.
type TakenError struct{ Act alerting.Act }

// Error names the key.
func (e *TakenError) Error() string {
	return fmt.Sprintf("the key %q is that of another act", e.Act.Key)
}

// acts writes what people did, each act sealed with the one before. What is stored already, as by
// the same tick once before, is passed over.
func (c *commit) acts(ctx context.Context, tx txn) error {
	if len(c.tick.Acts) == 0 {
		return nil
	}
	chain, known, err := readChain(ctx, tx)
	if err != nil {
		return err
	}
	fresh, err := c.freshActs(ctx, tx)
	if err != nil || len(fresh) == 0 {
		return err
	}
	head, err := appendActs(ctx, tx, chain.head, fresh)
	if err != nil {
		return err
	}
	if !known { // somebody has deleted it: what is recorded from now on is in a chain again
		chain.began, chain.first = c.tick.Acts[0].Received, chain.head.Seq+1
	}
	_, err = tx.ExecContext(ctx, sqlSetChain, nanos(chain.began), chain.first, head.Seq, head.Hash)
	return err
}

// actText is an act with the text that is stored of it.
type actText struct {
	act  alerting.Act
	text text
}

// freshActs returns the acts of the tick that are not stored yet, each key once.
func (c *commit) freshActs(ctx context.Context, tx txn) ([]actText, error) {
	taken, err := takenKeys(ctx, tx, c.tick.Acts)
	if err != nil {
		return nil, err
	}
	var fresh []actText
	known := make(map[string]int, len(c.tick.Acts)) // where in fresh
	for n, a := range c.tick.Acts {
		text, err := c.tick.textOfAct(n)
		if err != nil {
			return nil, err
		}
		k := key(plain(a.Key)).bounded()
		switch before, again := known[k]; {
		case taken[k]:
			err = sameAct(ctx, tx, text.json, a.Key)
		case again && fresh[before].text.json != text.json:
			err = &TakenError{fresh[before].act}
		case !again:
			known[k] = len(fresh)
			fresh = append(fresh, actText{a, text})
		}
		if err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

// takenKeys returns which keys of acts are stored already.
func takenKeys(ctx context.Context, tx txn, acts []alerting.Act) (map[string]bool, error) {
	taken := map[string]bool{}
	for some := range slices.Chunk(acts, mostRows) {
		keys := make([]any, len(some))
		for n, a := range some {
			keys[n] = key(a.Key)
		}
		err := each(ctx, tx, func(rows *sql.Rows) error {
			var k string
			err := rows.Scan(&k)
			taken[k] = true
			return err
		}, rowsOf(sqlTakenActs, len(keys)), keys...)
		if err != nil {
			return nil, err
		}
	}
	return taken, nil
}

// appendActs writes acts after a head, and returns the head that they make.
func appendActs(ctx context.Context, tx txn, head Place, acts []actText) (Place, error) {
	last, err := next(ctx, tx, "act", len(acts))
	if err != nil {
		return head, err
	}
	rows := tx.insert(sqlAddAct, 1)
	for n, a := range acts {
		seq := last - int64(len(acts)-n-1)
		head = Place{seq, sealAct(head.Hash, seq, a.text.json)}
		if err := rows.add(seq, key(a.act.Key), nanos(a.act.At), string(a.act.Kind), key(a.act.Incident), string(a.act.SLO), a.act.Service,
			a.text.json, a.text.sum, head.Hash); err != nil {
			return head, err
		}
	}
	return head, rows.flush()
}

// sameAct returns nil if what is stored under a key is this text, else a TakenError.
func sameAct(ctx context.Context, tx txn, text, k string) error {
	stored, err := readActs(ctx, tx, true, sqlAct, key(k))
	if err != nil {
		return err
	}
	same := false
	err = each(ctx, tx, func(rows *sql.Rows) error {
		var was string
		err := rows.Scan(&was)
		same = was == text
		return err
	}, sqlActText, key(k))
	if err == nil && !same {
		err = &TakenError{stored[0]}
	}
	return err
}

// sealPage is how many acts are sealed or checked at once.
const sealPage = 1000

// sealAll begins the chain of a store: it seals the acts that are there as they are.
func sealAll(ctx context.Context, tx *sql.Tx) error {
	newest, err := counter(ctx, tx, "act")
	if err != nil {
		return err
	}
	var head Place
	for {
		links, err := readLinks(ctx, tx, head.Seq, sealPage)
		if err != nil {
			return err
		}
		for _, l := range links {
			head = Place{l.seq, sealAct(head.Hash, l.seq, l.data)}
			if _, err := tx.ExecContext(ctx, sqlSealAct, head.Hash, l.seq); err != nil {
				return err
			}
		}
		if len(links) < sealPage {
			break
		}
	}
	began := time.Time{}
	if head.Seq > 0 {
		began = time.Now()
	}
	_, err = tx.ExecContext(ctx, sqlSetChain, nanos(began), newest+1, head.Seq, head.Hash)
	return err
}

// link is one row of the log.
type link struct {
	seq, at, sum                      int64
	key, kind, incident, slo, service string
	data, hash                        string
}

func readLinks(ctx context.Context, q querier, after int64, n int) ([]link, error) {
	var all []link
	err := each(ctx, q, func(rows *sql.Rows) error {
		var l link
		err := rows.Scan(&l.seq, &l.key, &l.at, &l.kind, &l.incident, &l.slo, &l.service, &l.data, &l.sum, &l.hash)
		all = append(all, l)
		return err
	}, sqlLinks, after, n)
	return all, err
}

// misfiled reports whether the columns of a row, by which acts are found, say something else than
// the act.
func (l link) misfiled() bool {
	var a alerting.Act
	if unpackJSON(l.data, l.sum, &a) != nil {
		return true
	}
	for _, is := range [][2]string{
		{l.key, key(plain(a.Key)).bounded()},
		{l.kind, string(a.Kind)},
		{l.incident, key(plain(a.Incident)).bounded()},
		{l.slo, string(a.SLO)},
		{l.service, a.Service},
	} {
		if is[0] != plain(is[1]) && !strings.ContainsRune(is[0], utf8.RuneError) { // what was no text was replaced in two ways
			return true
		}
	}
	return l.at != nanos(a.At)
}
