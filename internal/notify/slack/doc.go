// Package slack says in Slack what happened, and keeps it true.
//
// It has two halves that share one value, the [Body] of a message. [Composer] turns the facts about
// an event into entries of the outbox; it is pure, so what people will read can be reviewed as text
// (testdata/*.txtar). [Client] and [Webhook] are receivers of the outbox: they turn an entry into a
// message and an answer of Slack into a receipt or a classed failure.
//
// # What people see
//
// One root message per incident always shows its newest state, with the onset and the peak kept to
// the end; its thread is the history. An edit notifies nobody, so what must be noticed is a reply,
// too. Only a page mentions people, only those whom the configuration names.
//
// # What can go wrong, and what happens then
//
//   - Slack refuses the form: the message is sent in plainer forms, down to a sentence
//     ([Client.Deliver]). Limits are checked beforehand ([Body.Validate]).
//   - Slack refuses the channel: root messages go to the fallback channel, if there is one.
//   - Nobody knows whether a message arrived: it is looked for by the key in its metadata
//     ([Client.Find]) before it is sent again.
//   - A person deleted the root: the next edit becomes a new root.
//   - Hundreds of incidents begin at once: the overflow is named in digests ([Client.Digest]).
//
// # Foreign text
//
// Names, descriptions and label values come from outside. They pass through escape or into a
// plain_text object and nowhere else (escape.go); the token appears in no error (secret.go,
// classify.go).
//
// # Acting
//
// People act by the controls under a message and by /slowburn. Both come in by Socket Mode or as
// signed requests, and go the same way from there ([Desk]): is it ours, was it here before, who is
// it, and then an [alerting.Act] for the rest of slowburn. Slack is answered within its three
// seconds, whatever happens.
//
// Reading order: facts.go, compose.go, message.go and words.go for what is said; body.go, block.go,
// limits.go for its form; client.go, classify.go, find.go, webhook.go for how it is delivered;
// desk.go, interact.go, command.go for acting, signature.go, http.go, socket.go for how it comes
// in; scopes.go for what all of it needs.
package slack
