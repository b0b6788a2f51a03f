package slacktest

import (
	"fmt"
	"time"
)

// A Limit is one row of what Slack allows: a thing, how small and how large it may be, in which
// unit, and where that is written.
type Limit struct {
	Name   string // the thing, as a dotted path: "section.text"
	Min    int    // smallest allowed value; 0 means no lower bound
	Max    int    // largest allowed value, inclusive
	Unit   string // "characters" are Unicode code points
	Source string // where the number comes from
}

const (
	docs     = "docs.slack.dev/reference/block-kit"
	methods  = "docs.slack.dev/reference/methods"
	registry = "the slackblocks limit registry"
	observed = "observed, not documented: slackapi/bolt-js#2509"
	guessed  = "a guess, see CONTRACT.md"
)

// Limits is everything Slack bounds in a message, in one table.
//
// It is the oracle for the product's own limits: the numbers were taken from Slack's reference
// pages, not from the product, so that a slip in one is caught by the other. Where sources
// disagree, the stricter one stands here.
var Limits = []Limit{
	{"message.blocks", 0, 50, "items", docs},
	{"message.attachments", 0, 100, "items", methods + "/chat.postMessage"},
	{"message.text", 0, 40_000, "characters, then truncated", methods + "/chat.postMessage"},
	{"update.text", 0, 4_000, "characters", methods + "/chat.update"},
	{"message.total", 0, 13_200, "characters over all blocks", observed},
	{"message.tables", 0, 1, "items", docs + "/blocks/table-block"},
	{"message.charts", 0, 2, "items", docs + "/blocks/data-visualization-block"},
	{"metadata.size", 0, 8_000, "bytes of JSON", guessed},

	{"block_id", 0, 255, "characters", docs},
	{"action_id", 0, 255, "characters", docs},
	{"text", 1, 3_000, "characters", docs + "/composition-objects/text-object"},

	{"section.text", 1, 3_000, "characters", docs + "/blocks/section-block"},
	{"section.fields", 1, 10, "items", docs + "/blocks/section-block"},
	{"section.field", 1, 2_000, "characters", docs + "/blocks/section-block"},
	{"header.text", 1, 150, "characters", docs + "/blocks/header-block"},
	{"context.elements", 1, 10, "items", docs + "/blocks/context-block"},
	{"actions.elements", 1, 25, "items", docs + "/blocks/actions-block"},
	{"image.image_url", 1, 3_000, "characters", docs + "/blocks/image-block"},
	{"image.alt_text", 1, 2_000, "characters", docs + "/blocks/image-block"},
	{"image.title", 1, 2_000, "characters", docs + "/blocks/image-block"},
	{"markdown.total", 0, 12_000, "characters over all markdown blocks", docs + "/blocks/markdown-block"},

	{"button.text", 1, 75, "characters", docs + "/block-elements/button-element"},
	{"button.value", 0, 2_000, "characters", docs + "/block-elements/button-element"},
	{"button.url", 0, 3_000, "characters", docs + "/block-elements/button-element"},
	{"button.accessibility_label", 0, 75, "characters", docs + "/block-elements/button-element"},
	{"overflow.options", 1, 5, "items", docs + "/block-elements/overflow-menu-element"},
	{"select.options", 1, 100, "items", docs + "/block-elements/select-menu-element"},
	{"select.placeholder", 1, 150, "characters", docs + "/block-elements/select-menu-element"},
	{"option.text", 1, 75, "characters", docs + "/composition-objects/option-object"},
	{"option.value", 1, 150, "characters", docs + "/composition-objects/option-object"},
	{"option.description", 1, 75, "characters", docs + "/composition-objects/option-object"},
	{"confirm.title", 1, 100, "characters", docs + "/composition-objects/confirmation-dialog-object"},
	{"confirm.text", 1, 300, "characters", docs + "/composition-objects/confirmation-dialog-object"},
	{"confirm.confirm", 1, 30, "characters", docs + "/composition-objects/confirmation-dialog-object"},
	{"confirm.deny", 1, 30, "characters", docs + "/composition-objects/confirmation-dialog-object"},

	{"table.rows", 1, 100, "items", docs + "/blocks/table-block"},
	{"table.columns", 1, 20, "items", docs + "/blocks/table-block"},
	{"table.column_settings", 0, 20, "items", docs + "/blocks/table-block"},

	{"chart.title", 1, 50, "characters", docs + "/blocks/data-visualization-block"},
	{"chart.segments", 1, 6, "items", "slack-go's Validate; newer documents say 12"},
	{"chart.series", 1, 6, "items", "slack-go's Validate; newer documents say 12"},
	{"chart.points", 1, 20, "items", docs + "/blocks/data-visualization-block"},
	{"chart.categories", 1, 20, "items", docs + "/blocks/data-visualization-block"},
	{"chart.label", 1, 20, "characters", docs + "/blocks/data-visualization-block"},
	{"chart.axis_label", 0, 50, "characters", docs + "/blocks/data-visualization-block"},

	{"attachment.title", 0, 1_024, "characters", "grafana/alerting"},
	{"attachment.footer", 0, 300, "characters", "grafana/alerting"},

	{"metadata.event_type", 1, 255, "characters", guessed},
}

// pace is how often something may happen: a bucket that holds burst calls and refills one every
// interval.
type pace struct {
	interval time.Duration
	burst    int
}

// Rates, from docs.slack.dev/apis/web-api/rate-limits. A tier promises "at least" so many calls a
// minute and tolerates "occasional bursts"; the stand-in grants exactly the promise, and how large
// a burst may be is a guess.
var (
	tier1 = pace{time.Minute, 10} // the burst: as many as an app may have connections
	tier2 = pace{time.Minute / 20, 20}
	tier3 = pace{time.Minute / 50, 50}
	tier4 = pace{time.Minute / 100, 100}

	// One post per second and channel, "short bursts" tolerated.
	postPace = pace{time.Second, 3}
	// "Several hundred" posts per minute and workspace.
	workspacePostPace = pace{time.Minute / 300, 300}
	// chat.getPermalink is "special": java-slack-sdk paces it at 600 a minute.
	permalinkPace = pace{time.Minute / 600, 600}
)

// limitTable is Limits by name.
var limitTable = func() map[string]Limit {
	byName := make(map[string]Limit, len(Limits))
	for _, l := range Limits {
		byName[l.Name] = l
	}
	return byName
}()

// LimitOf returns the limit of that name. It panics on a name that is not in the table, because a
// check without a number is a mistake in the program.
func LimitOf(name string) Limit {
	l, ok := limitTable[name]
	if !ok {
		panic(fmt.Sprintf("slacktest: no limit named %q", name))
	}
	return l
}
