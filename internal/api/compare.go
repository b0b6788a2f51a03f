package api

import "time"

// Comparison is what `slowburn compare` found out about one budget.
type Comparison struct {
	ID     string            `json:"id"`
	Tool   string            `json:"tool,omitempty"` // sloth or pyrra
	Window string            `json:"window"`
	Budget BudgetDifference  `json:"budget"`
	Alerts []AlertDifference `json:"alerts,omitempty"`
	Error  string            `json:"error,omitempty"` // why there is nothing to compare
}

// BudgetDifference is the difference between two figures of one budget. Null is unknown.
type BudgetDifference struct {
	Ours       *float64 `json:"ours"`       // share of the budget that is left
	Theirs     *float64 `json:"theirs"`     // the same, as the other tool has recorded it
	Difference *float64 `json:"difference"` // theirs − ours
	// Reasons add up to the difference, but for parts too small to tell; the largest is first.
	// Where theirs is not a number, they explain what it would have been without its holes.
	Reasons []DifferenceReason `json:"reasons"`
}

// DifferenceReason is a part of a difference.
type DifferenceReason struct {
	Cause string  `json:"cause"`
	Part  float64 `json:"part"` // a share of the budget: how much more is left in their figure because of it
	Text  string  `json:"text"`
}

// AlertDifference is one burn as both alerted it, or as only one did.
type AlertDifference struct {
	Severity string        `json:"severity"`
	Theirs   *FiringPeriod `json:"theirs,omitempty"`
	Ours     *FiringPeriod `json:"ours,omitempty"`
	// Later is by how many seconds our alert came after theirs, where both did; negative if before.
	Later int64  `json:"laterSeconds,omitempty"`
	Cause string `json:"cause"`
	Text  string `json:"text"`
}

// FiringPeriod is how long an alert fired, its end excluded.
type FiringPeriod struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}
