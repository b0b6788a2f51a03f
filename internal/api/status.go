package api

import "time"

// Status is how slowburn itself does.
type Status struct {
	Version string   `json:"version"`
	Healthy bool     `json:"healthy"`
	Health  string   `json:"health"`            // in a sentence
	Standby *Standby `json:"standby,omitempty"` // if another daemon leads
	Tick    *Tick    `json:"lastTick"`
	SLOs    int      `json:"slos"` // budgets
	Open    int      `json:"openIncidents"`
	Waiting int      `json:"waitingForApproval"` // acts that a second person has to approve
	Paging  Paging   `json:"paging"`
	Outbox  *Outbox  `json:"outbox"` // null if the store cannot be read
	Reload  Reloaded `json:"config"`
	Audit   *Audit   `json:"audit,omitempty"` // absent before the first look
}

// Audit is how the log of acts stands: a chain, in which each act is sealed with the one before it.
type Audit struct {
	Whole  bool       `json:"whole"` // nothing is wrong with it
	Acts   int64      `json:"acts"`  // the number of the newest
	Head   string     `json:"head"`  // NUMBER:HASH of the newest act, "" before the first
	Hash   string     `json:"hash"`  // all of its hash
	Began  *time.Time `json:"began"` // when the acts from before the chain were sealed; null if there were none
	Before int64      `json:"before"`
	At     *time.Time `json:"verified"` // when all of it was looked at last
	Found  int        `json:"faultsFound"`
	Faults []Fault    `json:"faults"` // the first of them
}

// Fault is something in the log of acts that slowburn has not written.
type Fault struct {
	Kind string `json:"kind"` // missing, altered, misfiled, head, no_head or told
	From int64  `json:"from"` // numbers of acts
	To   int64  `json:"to"`
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
}

// Standby says how old what a daemon shows is that does not lead.
type Standby struct {
	AsOf *time.Time `json:"asOf"` // the leader's newest evaluation; null before the first
	Age  float64    `json:"ageSeconds"`
	Why  string     `json:"why"` // what it waits for: "another slowburn leads"
}

// Tick is the newest evaluation; null in Status before the first.
type Tick struct {
	At         time.Time `json:"at"`
	Through    time.Time `json:"through"` // minutes before it are evaluated
	Took       float64   `json:"tookSeconds"`
	Budgets    int       `json:"budgets"` // that were read
	Slots      int       `json:"slots"`   // new minutes, over all budgets
	Events     int       `json:"events"`
	Messages   int       `json:"messages"` // that were owed
	Failures   []string  `json:"failures"` // of reading, one per bundle
	StoreError string    `json:"storeError,omitempty"`
	Queries    int64     `json:"queries"`
	Samples    int64     `json:"samples"`
	Bytes      int64     `json:"bytes"`
	OldTook    string    `json:"took"` // the same in words, for one more release
}

// Outbox is how delivery stands.
type Outbox struct {
	Entries  map[string]int `json:"entries"`       // by state: pending, sent, superseded, dead
	Oldest   *time.Time     `json:"oldestPending"` // when the oldest pending message was decided
	Channels []Channel      `json:"channels"`      // in the store's order
}

// Channel is how one channel does.
type Channel struct {
	Receiver string `json:"receiver"`
	Channel  string `json:"channel"`
	Pending  int    `json:"pending"`
	Retrying int    `json:"retrying"`
	Dead     int    `json:"dead"`
	LastErr  string `json:"lastError,omitempty"`
	OldLeg   string `json:"leg"` // the same as receiver, for one more release
}

// Reloaded is the newest reload of the configuration.
type Reloaded struct {
	OK bool       `json:"ok"`
	At *time.Time `json:"at"` // of the last good one
	// Waiting names keys of slowburn.yaml whose changes take effect after a restart.
	Waiting []string `json:"waitingForRestart,omitempty"`
}
