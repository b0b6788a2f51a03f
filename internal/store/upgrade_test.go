package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// An upgrade that old programs cannot go on with ends what they do, and they say why: the leader's
// next write is refused, those that wait do not lead, and those that follow do not misread.
func TestAnUpgradeThatOldOnesCannotGoOnWithDeposesThem(t *testing.T) {
	address := pgtest.Database(t)
	a, term := leading(t, address, Options{}, quick)
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	b := openAt(t, address, Options{}, quick)
	follower, _, err := b.Follow(background)
	must(t, err)
	waiting := make(chan error)
	go func() { _, err := b.Lead(background, nil); waiting <- err }()
	before := pictureOf(t, a)

	run(t, address, `begin; update meta set version = 1000, least = 1000; `+sqlUnseat+`; commit`)
	if err := a.Commit(background, tickAt(1, "shop/pay")); !errors.Is(err, ErrDeposed) {
		t.Errorf("the old leader wrote: %v", err)
	}
	<-term.Lost()
	if _, err := a.Lead(background, nil); !errors.Is(err, ErrNewer) {
		t.Errorf("the old leader leads again: %v", err)
	}
	if err := <-waiting; !errors.Is(err, ErrNewer) || !strings.HasSuffix(err.Error(), "("+hintNewer+")") {
		t.Errorf("the one that waited says %v", err)
	}
	if _, err := follower.Next(background); !errors.Is(err, ErrNewer) {
		t.Errorf("an old one follows: %v", err)
	}
	run(t, address, fmt.Sprintf(`update meta set version = %d, least = %d`, schemaVersion, leastVersion))
	same(t, "store", pictureOf(t, openAt(t, address, Options{}, quick)), before)
}

// A program that waits for the lock while an upgrade takes place finds out when it has it.
func TestWhoIsUpgradedPastWhileItWaitsDoesNotLead(t *testing.T) {
	address := pgtest.Database(t)
	a, _ := leading(t, address, Options{}, patient)
	b := openAt(t, address, Options{}, patient)
	waiting := make(chan error)
	go func() { _, err := b.Lead(background, nil); waiting <- err }()
	must(t, a.Commit(background, tickAt(0, "shop/pay")))
	run(t, address, `update meta set version = 1000, least = 1000`)
	must(t, a.Close())
	if err := <-waiting; !errors.Is(err, ErrNewer) {
		t.Errorf("the next one says %v", err)
	}
}
