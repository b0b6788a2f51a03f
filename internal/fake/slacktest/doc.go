// Package slacktest is a stand-in for Slack: a small workspace that lives in memory, speaks Slack's
// Web API over real HTTP on the loopback interface, and shows its channels as a page a person can
// read.
//
// # Why
//
// What slowburn owes its users is decided in the worst minute: Slack answers 429, or resets the
// connection after it has already stored the message. No live workspace can be made to do that on
// order, and a mock that returns what the test wrote into it proves nothing. So this package keeps
// real state (messages, threads, edits, metadata, files, scopes), enforces the limits that Slack
// documents, and misbehaves exactly when a [Fault] tells it to. Unit tests, the model checker and
// "slowburn demo" all use the same stand-in.
//
// # How to read it
//
//   - limits.go is the oracle: every size and rate limit in one table, each with
//     its source. It is written from Slack's documents and deliberately shares no
//     constant with the product it judges. validate.go applies it.
//   - state.go is the workspace, rate.go its pacing, fault.go the ways in which
//     it can fail.
//   - api.go takes a call through its gates: early call? fault? token? scope?
//     pace? and only then into a method (chat.go, conversations.go, files.go,
//     webhook.go). wire.go reads requests and writes answers; server.go and
//     options.go start and stop it all.
//   - inspect.go and expect.go are for tests: look at the state, wait for a
//     state, or say in one line what a person should have seen.
//   - human.go and interact.go do what people do: delete a message, archive a
//     channel, revoke a token, press a button, type a command. socket.go is
//     Socket Mode, by which the app may hear of the latter two.
//   - page.go, blocks.go, mrkdwn.go and chart.go draw the workspace.
//
// CONTRACT.md beside this file says which behaviours come from Slack's documents and which are
// guesses.
//
// # Example
//
//	srv := slacktest.Start(slacktest.Options{})
//	defer srv.Close()
//	srv.Inject(slacktest.Fault{Method: "chat.postMessage", Do: slacktest.ResetAfter()})
//	client := slack.New(srv.Token, slack.OptionAPIURL(srv.APIURL()))
//	// … the post reports an error, yet srv.Messages("general") holds the message.
//
// The package imports no "testing", so that the demo can link it. All methods of [Server] are safe
// for concurrent use.
package slacktest
