package slack

import "github.com/slowburn-sre/slowburn/internal/notify"

// Secret is a token or a webhook's address; it never shows.
type Secret = notify.Secret
