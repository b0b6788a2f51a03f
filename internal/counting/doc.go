// Package counting turns raw samples of counters, as they come, into events per minute. It does no
// I/O and knows no clock: the time of a question is handed in.
//
// # A position per series
//
// A [Cursor] remembers the newest sample of every series; what lies behind it was counted. Samples
// are taken scrape by scrape of a target (see take.go), each is booked in its own minute, whenever
// it comes. Differences telescope: whatever is lost, late or cut differently, the sum is right.
//
//	samples ──► Take: scrapes ──► increments, births ──► minutes that are open
//	                                                          │
//	           Decide: who may still show something? ────────►│──► slots, in order
//	                                                          └──► late events of decided minutes
//
// # A minute is decided when it is complete
//
// That is when every series of the budget that lives has shown a sample past its end, or is not due
// within it, or has ended, or is waited for no longer (see wait.go). Each budget has a frontier of
// its own, so a target that is late delays nobody else's minutes. What comes for a minute that was
// decided already leaves as an amendment: a signed difference.
//
// # What counts
//
//   - The difference to the value before, in the minute of the later sample.
//   - A fall by an eighth or more is a restart of the target: all its series count whole since
//     then, unless one of them shows that the process lives on; then only the one that fell does. A
//     smaller fall is a glitch: nothing counts until the old height is passed.
//   - A first value counts only as far as it can have happened: not more than ten times what its
//     target served lately in the time since the scrape before, plus five. Series that vanish as
//     others appear with values not below are the same series under new names (see rename.go).
//   - The start of a process, where it is shown, tells of a restart that no value does, and that a
//     first value is whole (see start.go).
//   - A series that was away and is back above its old value gives the difference.
//   - A total whose good series were there and are gone is a question, not an outage (see
//     counterpart.go).
//   - When a budget is seen for the first time, every value is a position.
//
// # Which type owns what
//
//   - [State] is all that is kept from one question to the next; [Index] numbers its slices. A
//     view is both, and answers what is known of a series, a target or an account.
//   - A scrape is what a target shows at one time: whether its process began anew, and how many
//     events each sample tells (scrape.go, start.go).
//   - A [Group] is the first values of a scrape, which wait for their verdict (birth.go). A pairing
//     asks which series have gone on in it (rename.go).
//   - [Waiting] says who is asked, who is waited for, and up to where accounts are complete
//     (wait.go).
//   - [Counter] books what these tell (take.go), keeps what is in question (counterpart.go) and
//     decides minutes (decide.go). It alone reports to an [Outcome].
//   - [Hours] counts history by the hour. It has a counter, for what is read raw (hours.go).
//
// # The cut law
//
// However reads are cut, the same minutes come out of the same samples if those are in time: what
// is judged later is judged at a time of the samples, never of the reading. Lateness alone is a
// matter of the clock.
package counting
