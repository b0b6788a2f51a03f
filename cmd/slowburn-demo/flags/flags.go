// Package flags are the flags of the demo: slowburn-demo reads them, and `slowburn demo` explains,
// completes and passes them on without linking the demo.
package flags

import "strconv"

// Demo says how the story is played.
type Demo struct {
	Once   bool    `help:"Play the story to its end on a simulated clock, print what was sent, and exit."`
	Listen string  `name:"web.listen-address" help:"Where slowburn's own pages are." default:"127.0.0.1:7569" placeholder:"ADDRESS"`
	Slack  string  `name:"slack.listen-address" help:"Where the Slack stand-in is." default:"127.0.0.1:7570" placeholder:"ADDRESS"`
	Speed  float64 `help:"How many times faster than the wall the shop's clock goes during the story." default:"40"`
}

// Args writes the flags as a command line that reads back as the same.
func (d Demo) Args() []string {
	return []string{
		"--once=" + strconv.FormatBool(d.Once), "--web.listen-address=" + d.Listen, "--slack.listen-address=" + d.Slack,
		"--speed=" + strconv.FormatFloat(d.Speed, 'g', -1, 64),
	}
}
