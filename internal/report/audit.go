package report

import (
	"github.com/slowburn-sre/slowburn/internal/figures"
	"github.com/slowburn-sre/slowburn/internal/markdown"
	"github.com/slowburn-sre/slowburn/internal/sentences"
)

// Audit is how the log of acts stands when a report is made. Its head, kept wherever the report
// goes, proves later that nothing before it was changed.
type Audit struct {
	Acts   int64
	Head   string   // NUMBER:HASH of the newest act; "" if there is none
	Faults []string // sentences: what slowburn has not written
}

// auditText says where the log ends, and what is wrong with it.
func (r Report) auditText(int) string {
	a := r.Audit
	text := sentences.NoHead + "\n"
	if a.Head != "" {
		text = "**" + figures.Plural(int(a.Acts), "act") + "**, head " + markdown.Code(a.Head) + ": `slowburn audit --verify --head " + a.Head +
			"` proves that none up to it was changed since.\n"
	}
	for _, fault := range a.Faults {
		text += "\n- ⚠️ " + markdown.Text(fault)
	}
	if len(a.Faults) > 0 {
		text += "\n"
	}
	return text
}
