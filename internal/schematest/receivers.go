package schematest

// receivers adds who is told beside Slack.
func (r Rand) receivers(n *Node) *Node {
	text := func() *Node { return r.of("a", "'b c'", "x/y.db", "'1'") }
	pager := func() *Node {
		return Map().With("name", r.maybeOf(50, "a", "b-1")).With("routing_key_file", text()).With("url", r.maybeOf(30, "https://events.eu.pagerduty.com/v2/enqueue"))
	}
	n.With("pagerduty", r.maybe(30, func() *Node {
		if r.IntN(2) == 0 {
			return pager()
		}
		return List(pager())
	}))
	n.With("alertmanagers", r.maybe(30, func() *Node {
		return List(Map().With("url", Leaf("http://127.0.0.1:9093")).With("follow_redirects", r.maybeOf(20, "true")))
	}))
	n.With("webhooks", r.maybe(30, func() *Node {
		return List(Map().With("url_file", text()).With("secret_file", r.maybe(50, text)))
	}))
	n.With("heartbeat", r.maybe(30, func() *Node { return Map().With("url_file", text()).With("interval", r.maybeOf(50, "1m", "'30s'")) }))
	n.With("fallback", r.maybe(30, func() *Node {
		return Map().With("after", r.of("5m", "1h")).With("to", r.maybe(50, func() *Node { return List(Leaf("slack")) }))
	}))
	return n.With("routes", r.maybe(30, func() *Node {
		m := Map().With("severity", r.maybeOf(50, "page", "[ticket, notice]")).With("owner", r.maybeOf(50, "payments", "[a, 'b']")).
			With("labels", r.maybe(20, func() *Node { return Map().With("route", r.of("/pay", "[/pay, '1']")) }))
		return List(Map().With("match", m).With("to", List(Leaf("slack"))).With("channel", r.maybeOf(50, `"#a"`)))
	}))
}
