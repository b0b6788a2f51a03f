// Command slack-stand-in runs the stand-in for Slack by itself, to try slowburn, or any other app,
// against it:
//
//	go run ./internal/fake/slacktest/cmd/slack-stand-in -channels general,payments-oncall
//
// It prints the addresses and secrets that the app needs. With -fault, calls of a method fail:
//
//	-fault chat.postMessage=reset-after:2      the next two posts arrive and are not answered
//	-fault apps.connections.open=503:-1        Socket Mode never connects
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"github.com/slowburn-sre/slowburn/internal/fake/slacktest"
)

// effects are the faults that have a name here.
var effects = map[string]func() slacktest.Effect{
	"429":          func() slacktest.Effect { return slacktest.RateLimited(5) },
	"503":          func() slacktest.Effect { return slacktest.ServerError(503) },
	"hang":         slacktest.Hang,
	"hang-after":   slacktest.HangAfter,
	"reset-before": slacktest.ResetBefore,
	"reset-after":  slacktest.ResetAfter,
	"truncated":    slacktest.Truncated,
	"empty":        slacktest.EmptyObject,
	"revoked":      func() slacktest.Effect { return slacktest.APIError("token_revoked") },
}

func main() {
	o := slacktest.Options{}
	flag.StringVar(&o.Addr, "listen-address", "127.0.0.1:7570", "where to listen; keep it on this machine")
	flag.StringVar(&o.InteractionsURL, "interactions", "", "where signed presses go, unless the app connects by Socket Mode")
	flag.StringVar(&o.CommandsURL, "commands", "", "where signed commands go")
	flag.BoolVar(&o.NoCharts, "no-charts", false, "a workspace that has no charts yet")
	flag.BoolVar(&o.Unpaced, "unpaced", false, "no rate limits")
	channels := flag.String("channels", "general,reliability", "channels, with commas between them; the bot is in all of them")
	scopes := flag.String("scopes", "", "scopes of the bot token, with commas between them; all if not said")
	var faults []slacktest.Fault
	flag.Func("fault", "METHOD=EFFECT[:COUNT], may be repeated; the effects are "+strings.Join(slices.Sorted(maps.Keys(effects)), ", "), func(s string) error {
		f, err := parseFault(s)
		faults = append(faults, f)
		return err
	})
	flag.Parse()
	for _, name := range strings.Split(*channels, ",") {
		o.Channels = append(o.Channels, slacktest.Channel{Name: name, Joined: true})
	}
	if *scopes != "" {
		o.Scopes = strings.Split(*scopes, ",")
	}
	s, err := slacktest.Listen(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "slack-stand-in:", err)
		os.Exit(2)
	}
	defer s.Close()
	for _, f := range faults {
		s.Inject(f)
	}
	fmt.Printf("The channels are at %s\n\nslack.api_url: %s\nSLACK_BOT_TOKEN=%s\nSLACK_APP_TOKEN=%s\nSLACK_SIGNING_SECRET=%s\n",
		s.URL(), s.APIURL(), s.Token, s.AppToken, s.SigningSecret())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	<-stop
}

// parseFault reads METHOD=EFFECT[:COUNT]. A negative count is for ever.
func parseFault(s string) (slacktest.Fault, error) {
	method, rest, ok := strings.Cut(s, "=")
	name, count, counted := strings.Cut(rest, ":")
	effect, known := effects[name]
	if !ok || method == "" || !known {
		return slacktest.Fault{}, errors.New("write METHOD=EFFECT or METHOD=EFFECT:COUNT")
	}
	f := slacktest.Fault{Method: method, Do: effect()}
	if counted {
		n, err := strconv.Atoi(count)
		if err != nil {
			return f, fmt.Errorf("the count of %q is no number", s)
		}
		f.Count = n
	}
	return f, nil
}
