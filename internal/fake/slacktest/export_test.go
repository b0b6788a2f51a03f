package slacktest

// RenderMrkdwn is how the page shows a text; the fuzz test calls it without the rest of the page.
func (s *Server) RenderMrkdwn(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.ws.names().mrkdwn(text))
}
