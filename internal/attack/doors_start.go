package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// secretProbes look for secrets where none may be.
func secretProbes() (all []probe) {
	const secret = "CANARY99"
	for name, config := range map[string]string{
		"of a webhook": `webhooks: [{url: "https://hooks.example.com/` + secret + `", nam: x}]`, "of a heartbeat": `heartbeat: {url: "https://hc.example.com/` + secret + `", x: 1}`, "as a list": "prometheus: {basic_auth: {username: a, password:\n  [" + secret + "]}}", "under a key that is misspelt": "slack: {bot_tokn: " + secret + "}",
		"in the address of Prometheus": "prometheus: {url: 'http://user:" + secret + "@127.0.0.1:9090'}", "in the address of PostgreSQL": "store: {postgres: 'postgres://a:" + secret + "@127.0.0.1/x'}", "beside a mistake": "prometheus: {bearer_token: " + secret + ", urll: x}", "in a header": "prometheus: {http_headers: {Authorization: {values: [" + secret + "], x: 1}}}",
		"as the whole file": secret, "in a comment of a line with a mistake": "slos: 1 # password " + secret,
	} {
		all = append(all, probe{door: "secrets", name: "a mistake shows no secret " + name, inputs: []int{68}, try: func(ctx context.Context, c *camp) error {
			out, code, err := checked{files: map[string]string{"slowburn.yaml": config + "\n", "slos/a.yaml": sloOf("99", "28d", goodSLI)}}.check(ctx, c)
			switch {
			case err != nil:
				return err
			case strings.Contains(out, secret):
				return errors.New("shows it: " + strings.ReplaceAll(out, secret, "<secret>"))
			case code == 0 && !strings.Contains(name, "comment"):
				return errors.New("taken: " + out)
			}
			return nil
		}})
	}
	for _, address := range []string{"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "http://a@b/", "http://", "http://127.0.0.1:99999/"} {
		all = append(all, probe{door: "secrets", name: "a Prometheus at " + address + " is refused", inputs: []int{69}, try: refused(checked{files: map[string]string{"slowburn.yaml": "prometheus: {url: '" + address + "'}\n", "slos/a.yaml": sloOf("99", "28d", goodSLI)}}, `slowburn.yaml:1:`)})
	}
	return append(all,
		probe{door: "secrets", name: "no secret in log, metrics, status, pages and API", inputs: []int{68}, try: canariesNowhere},
		probe{door: "secrets", name: "an empty secret is refused", inputs: []int{23}, try: secretFile("", func(out string) bool { return strings.Contains(out, "empty") })},
		probe{door: "secrets", name: "a secret that never ends is refused", inputs: []int{67}, try: secretFile("/dev/zero", func(out string) bool { return strings.Contains(out, "regular file") })},
		probe{door: "secrets", name: "a password in --url is not shown", inputs: []int{68}, try: passwordInURL},
	)
}

func canariesNowhere(ctx context.Context, c *camp) error {
	own, err := wound(ctx, c)
	if err != nil {
		return err
	}
	texts := map[string]string{"the log": own.log.String()}
	for _, path := range append([]string{"/metrics", "/api/v1/status", "/api/v1/acts", "/api/v1/slos", "/-/healthy"}, pagesOf...) {
		a, err := own.get(ctx, path)
		if err != nil {
			return err
		}
		texts[path] = a.body
	}
	for where, text := range texts {
		for _, secret := range canaries {
			if strings.Contains(text, secret) {
				return errors.New(where + " holds a secret")
			}
		}
	}
	return nil
}

// secretFile starts a daemon whose bot token is such a file: a link to a device, or text.
func secretFile(what string, told func(out string) bool) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		return startRefused(ctx, c, map[string]string{"slowburn.yaml": "slos: [slos/]\nslack: {bot_token_file: token}\n", "slos/a.yaml": sloOf("99", "28d", goodSLI)}, func(dir string) error {
			if what == "" {
				return os.WriteFile(filepath.Join(dir, "token"), []byte("\n"), 0o600)
			}
			return os.Symlink(what, filepath.Join(dir, "token"))
		}, told)
	}
}

// startRefused wants a daemon not to start.
func startRefused(ctx context.Context, c *camp, files map[string]string, prepare func(string) error, told func(out string) bool, flags ...string) error {
	if c.binary == "" {
		return skip("needs the program: give -binary")
	}
	dir, err := os.MkdirTemp("", "slowburn-attack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	own := &castle{dir: dir, binary: c.binary, target: &target{}}
	for name, text := range files {
		if err := own.write(name, text); err != nil {
			return err
		}
	}
	if prepare != nil {
		if err := prepare(dir); err != nil {
			return err
		}
	}
	out, code, err := own.cli(ctx, []string{"GOMEMLIMIT=256MiB"}, append([]string{"serve"}, flags...)...)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s", err, out)
	case code == 0 || told != nil && !told(out):
		return fmt.Errorf("exit code %d: %s", code, out)
	}
	return nil
}

func passwordInURL(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	for _, address := range []string{"http://reader:s3cr%zz@127.0.0.1:1", "http://reader:s3cret@127.0.0.1:1"} {
		out, _, err := own.cli(ctx, nil, "status", "--url="+address)
		if err == nil && strings.Contains(out, "s3cr") {
			err = errors.New("shows it")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// startProbes start a daemon openly, or in a way that only looks closed.
func startProbes() (all []probe) {
	good := map[string]string{"slowburn.yaml": "slos: [slos/]\n", "slos/a.yaml": sloOf("99", "28d", goodSLI)}
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "127.0.0.1.nip.io:0", "2130706433:0", "192.0.2.1:0"} {
		all = append(all, probe{door: "start", name: "listening on " + address + " without a password is refused", try: func(ctx context.Context, c *camp) error {
			return startRefused(ctx, c, good, nil, func(out string) bool { return strings.Contains(out, "authentication") }, "--web.listen-address="+address)
		}})
	}
	return append(all,
		probe{door: "start", name: "certificates that need not be given are no password", try: func(ctx context.Context, c *camp) error {
			web := "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: VerifyClientCertIfGiven, client_ca_file: cert.pem}\n"
			return startRefused(ctx, c, good, func(dir string) error {
				return errors.Join(guardVault(dir), os.WriteFile(filepath.Join(dir, "web.yaml"), []byte(web), 0o600))
			}, func(out string) bool { return strings.Contains(out, "authentication") }, "--web.listen-address=0.0.0.0:0", "--web.config.file=web.yaml")
		}},
		probe{door: "start", name: "a token of a few characters is refused", try: func(ctx context.Context, c *camp) error {
			return startRefused(ctx, c, merged(good, map[string]string{"slowburn.yaml": "slos: [slos/]\nweb: {tokens: [{name: a, file: t, may: [read]}]}\n", "t": "short"}), nil, nil, "--web.listen-address=127.0.0.1:0")
		}},
		probe{door: "start", name: "a reload of a broken file changes nothing", try: brokenReload},
		probe{door: "password", name: "nothing is read without it", try: vaultRead("", 401)},
		probe{door: "password", name: "a wrong one reads nothing", try: vaultRead("Authorization: Basic "+basic("reader", "wrong"), 401)},
		probe{door: "password", name: "an unknown user reads nothing", try: vaultRead("Authorization: Basic "+basic("root", password), 401)},
		probe{door: "password", name: "another spelling of a free path is not free", try: vaultPaths},
		probe{door: "password", name: "probes are free, and say only how slowburn does", try: freeProbes},
		probe{door: "password", name: "Slack's door is open, and asks for its signature", try: func(ctx context.Context, c *camp) error {
			own, err := c.castle(ctx, "vault")
			if err != nil {
				return err
			}
			a, err := note{body: "ssl_check=1"}.send(ctx, own)
			if err == nil {
				err = oneOf(a, 200)
			}
			if err != nil {
				return err
			}
			a, err = note{body: "ssl_check=1", sign: func(_, _ string) string { return "v0=0" }}.send(ctx, own)
			if err != nil {
				return err
			}
			return oneOf(a, 401)
		}},
		probe{door: "password", name: "a token to read passes it, and one to write does not read", try: func(ctx context.Context, c *camp) error {
			return errors.Join(vaultRead("X-Slowburn-Token: "+readerToken, 200)(ctx, c), vaultRead("X-Slowburn-Token: "+ciToken, 401)(ctx, c))
		}},
		probe{door: "password", name: "a command passes it by --http.config.file", try: func(ctx context.Context, c *camp) error {
			own, err := c.castle(ctx, "vault")
			if err != nil {
				return err
			}
			out, code, err := own.cli(ctx, nil, "status", "--http.config.file=client.yaml")
			if err == nil && (code > 1 || strings.Contains(out, "401")) {
				err = errors.New(out)
			}
			return err
		}},
		probe{door: "password", name: "no TLS below 1.2", try: oldTLS},
	)
}

func brokenReload(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "bank")
	if err != nil {
		return err
	}
	if err := own.write("slos/broken.yaml", "version: slowburn/v1\nservice: [\n"); err != nil {
		return err
	}
	defer os.Remove(filepath.Join(own.dir, "slos", "broken.yaml"))
	a, err := own.do(ctx, headToken, "/-/reload", nil)
	if err == nil {
		err = oneOf(a, 500)
	}
	if err != nil {
		return err
	}
	a, err = own.get(ctx, "/api/v1/slos")
	if err == nil && !strings.Contains(a.body, "bank/availability") {
		err = errors.New("the SLOs are gone: " + a.body)
	}
	return err
}

func vaultRead(header string, want int) func(context.Context, *camp) error {
	return func(ctx context.Context, c *camp) error {
		own, err := c.castle(ctx, "vault")
		if err != nil {
			return err
		}
		for _, path := range []string{"/", "/api/v1/status", "/metrics", "/style.css", "/slo/bank/availability"} {
			headers := []string{}
			if header != "" {
				headers = append(headers, header)
			}
			a, err := own.send(ctx, http.MethodGet, path, "", headers...)
			if err == nil {
				err = oneOf(a, want)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		return nil
	}
}

func vaultPaths(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "vault")
	if err != nil {
		return err
	}
	for _, path := range []string{"/-/healthy/../../api/v1/status", "//-/healthy", "/-/healthy/", "/%2d/healthy/../metrics", "/slack/../metrics", "/slack/interactions/../../api/v1/acts", "/-/ready%2f..%2f..%2fmetrics", "/api/v1/status#/-/healthy"} {
		a, err := own.send(ctx, http.MethodGet, path, "")
		if err == nil {
			err = oneOf(a, 301, 307, 308, 400, 401, 404, 405)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func freeProbes(ctx context.Context, c *camp) error {
	own, err := c.castle(ctx, "vault")
	if err != nil {
		return err
	}
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		a, err := own.send(ctx, http.MethodGet, path, "")
		if err == nil {
			err = oneOf(a, 200)
		}
		if err == nil && (strings.Contains(a.body, "shop") || strings.Count(a.body, "\n") > 1) {
			err = errors.New("says " + a.body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
