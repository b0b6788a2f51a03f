package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/slowburn-sre/slowburn/internal/fake/shop"
)

// The scripts in testdata/script are sessions with the whole program: every `slowburn …` in them is
// a process of its own, and Prometheus and Slack are the stand-ins of the demo, over HTTP. Beside
// the usual commands of testscript they know:
//
//	exits CODE COMMAND…        runs the command and insists on its exit code
//	until PATTERN COMMAND…     runs it until its output matches
//	clock TIME | +DURATION     lets time pass, minute by minute while a daemon runs; "clock jump …" at once
//	prometheus …               see stagePrometheus
//	slack …                    see stageSlack
//	daemon …                   see stageDaemon
//	http get|post PATH         asks the daemon; prints status and body
//	fill FILE…                 puts $PROMETHEUS and $SLACK_API into files of the script
//	make KIND FILE             makes a file that no script can hold
//	newer FILE                 marks a store as that of a newer slowburn
//
// Time is a file that the processes share, so an hour passes in a second. Nothing sleeps.
//
// Under the race detector only those are played in which a daemon has to do with others; a command
// that runs and ends has little to race with, and takes ten times as long.
func TestScripts(t *testing.T) {
	dir, files := filepath.Join("testdata", "script"), []string(nil)
	if raceDetector {
		for _, name := range []string{"acts", "faults", "foureyes", "incident", "reload", "serve", "slack_down", "sources", "tokens", "webhook"} {
			files = append(files, filepath.Join(dir, name+".txtar"))
		}
		dir = ""
	}
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		Files:               files,
		Setup:               openStage,
		RequireUniqueNames:  true,
		RequireExplicitExec: false,
		Condition:           condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"until":      until,
			"clock":      stageClock,
			"prometheus": stagePrometheus,
			"slack":      stageSlack,
			"daemon":     stageDaemon,
			"http":       stageHTTP,
			"fill":       fill,
			"make":       makeFile,
			"newer":      newer,
			"note":       note,
		},
	})
}

// raceDetector is set when the tests run under it.
var raceDetector bool

func TestMain(m *testing.M) {
	if raceDetector { // unless others are asked for: they are of commands that run and end
		_ = flag.Set("test.run", "^TestScripts$")
	}
	testscript.Main(m, map[string]func(){
		"slowburn": func() { os.Exit(run(os.Args[1:], scripted())) },
	})
}

// clockEnv names the file that tells the time in a script.
const clockEnv = "SLOWBURN_TEST_CLOCK"

// scripted are the surroundings of the program in a script: as in main, but for the time.
func scripted() surroundings {
	return surroundings{
		out: os.Stdout, err: os.Stderr, getenv: os.Getenv,
		now: clockIn(os.Getenv(clockEnv)), every: 20 * time.Millisecond,
	}
}

// clockIn reads the time from a file, every time it is asked.
func clockIn(path string) func() time.Time {
	var last atomic.Pointer[shop.Clock]
	return func() time.Time {
		var c shop.Clock
		if data, err := os.ReadFile(path); err == nil && json.Unmarshal(data, &c) == nil {
			last.Store(&c)
		}
		return last.Load().At(time.Now())
	}
}
