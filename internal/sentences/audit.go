package sentences

import (
	"strconv"
	"time"

	"github.com/slowburn-sre/slowburn/internal/figures"
)

// LogFault says what is wrong with the log of acts: a kind of fault, as package store has it, the
// numbers of the acts from and to, and the key of the act if there is one.
func LogFault(kind string, from, to int64, key string) string {
	acts := "Act " + strconv.FormatInt(from, 10)
	if to != from {
		acts = "Acts " + strconv.FormatInt(from, 10) + " to " + strconv.FormatInt(to, 10)
	}
	if key != "" {
		acts += " (" + key + ")"
	}
	switch kind {
	case "missing":
		return acts + deleted(from, to)
	case "altered":
		return acts + " does not follow from the one before it: one of the two was edited or sealed anew, or those between them were deleted."
	case "misfiled":
		return acts + " is filed under another key, kind, subject or time than it has, or its checksum is wrong."
	case "head":
		return "The log ends at act " + strconv.FormatInt(to, 10) + " in another way than slowburn has recorded: its newest acts were edited, sealed anew, deleted or added."
	case "no_head":
		return "The record of where the log ends was deleted."
	case "told":
		return "The head that was told for act " + strconv.FormatInt(from, 10) + " is not in the log: acts up to it were deleted, or the whole log was sealed anew."
	}
	return acts + ": " + kind
}

func deleted(from, to int64) string {
	if from == to {
		return " was deleted."
	}
	return " were deleted."
}

// LogBegan says since when acts are sealed as they are recorded, "" if they always were. before is
// the number of the last act from before that.
func LogBegan(began time.Time, before int64) string {
	if began.IsZero() {
		return ""
	}
	return "The chain began on " + figures.UTC(began) + ": the acts up to number " + strconv.FormatInt(before, 10) + " are sealed as they were found then."
}

// What the log of acts is when somebody has looked at all of it.
const (
	LogWhole   = "the log of acts is whole"
	LogChanged = "the log of acts was changed by somebody else"
)

// DamagedAct stands for what an act says that cannot be read.
const DamagedAct = "the record of this act is damaged"

// NoHead says that there is no log yet.
const NoHead = "No act is recorded yet."
