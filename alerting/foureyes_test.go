package alerting

import "testing"

func TestWhoIsTheSamePerson(t *testing.T) {
	for what, c := range map[string]struct {
		who, other string
		same       bool
	}{
		"one token":                                   {"token ada", "token ada", true},
		"two tokens":                                  {"token ada", "token ben", false},
		"one name by two proofs":                      {"token ada", "user ada", true},
		"in capitals":                                 {"oidc Ada@example.com", "oidc ada@example.com", true},
		"one of several":                              {"token ci, user ada", "user ada", true},
		"the last of several":                         {"token a, user b, certificate c", "proxy d, oidc c", true},
		"several, none in common":                     {"token a, user b", "proxy c, oidc d", false},
		"nobody":                                      {"", "token ada", true},
		"the machine, which is nobody":                {"token local", "token ada", true},
		"somebody at the machine":                     {"token local, user ada", "user ben", false},
		"both at the machine":                         {"token local, user ada", "token local, user ben", false},
		"the environment, which is nobody":            {"token ada", "token SLOWBURN_WRITE_TOKEN", true},
		"a name that is quoted, and holds another":    {`user "x, token ada"`, "token ada", false},
		"a name that is quoted, and one without need": {`user "a, b"`, `proxy "a, b"`, true},
		"a quote within a name":                       {`user "a\", token b"`, "token b", false},
		"a quote that never ends":                     {`user "a, token b`, "token b", false},
		"users of Slack":                              {"U0123ABC", "U0123ABD", false},
		"a user of Slack, twice":                      {"U0123ABC", "U0123ABC", true},
	} {
		if same := SamePerson(c.who, c.other); same != c.same {
			t.Errorf("%s: %v; %q and %q", what, same, Names(c.who), Names(c.other))
		}
		if SamePerson(c.other, c.who) != c.same {
			t.Errorf("%s: it depends on the order", what)
		}
	}
}
