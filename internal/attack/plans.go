package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/slowburn-sre/slowburn/internal/fake/promfake"
)

// The secrets of the castles. None of them may ever be seen.
const (
	botToken      = "xoxb-canary-bot-token-0001"
	signingSecret = "canary-signing-secret-0002"
	ciToken       = "canary-token-of-ci-0003"
	oncallToken   = "canary-token-of-oncall-0004"
	headToken     = "canary-token-of-head-0005"
	readerToken   = "canary-token-to-read-0006"
	webhookSecret = "canary-webhook-secret-0007"
	password      = "canary-password-0008"
	deputyToken   = "canary-token-of-deputy-0009"
	shopToken     = "canary-token-of-shop-0010"
)

// passwordHash is the bcrypt hash of the password, of the least cost there is.
const passwordHash = "$2a$04$6yDo.W4mJHAkU/4i87lq9.N3VDDXh3lXn39H2m2h7T9fAVEMC7Dpy"

// canaries are what must be found nowhere.
var canaries = []string{botToken, signingSecret, ciToken, oncallToken, headToken, readerToken, webhookSecret, password, deputyToken, shopToken}

// secretFiles are the secrets as files of a castle.
var secretFiles = map[string]string{
	"secrets/bot": botToken, "secrets/signing": signingSecret, "secrets/ci": ciToken, "secrets/oncall": oncallToken, "secrets/head": headToken,
	"secrets/reader": readerToken, "secrets/webhook": webhookSecret, "secrets/deputy": deputyToken, "secrets/shop": shopToken,
}

const bankConfig = `
prometheus: {url: "$PROMETHEUS"}
slos: [slos/]
corrections: [corrections/]
slack: {channel: "#reliability", api_url: "$SLACK", bot_token_file: secrets/bot, signing_secret_file: secrets/signing}
webhooks: [{url: "$SINK/hook", secret_file: secrets/webhook}]
postmortems: {path: postmortems/}
policy: {caution_below: 25%, freeze_below: 0%}
web:
  tokens:
    - {name: ci, file: secrets/ci, may: [change], services: [shop]}
    - {name: oncall, file: secrets/oncall, may: [read, act]}
    - {name: head, file: secrets/head, may: [read, act, change, override]}
    - {name: reader, file: secrets/reader, may: [read]}
`

const bankSLOs = `
version: slowburn/v1
service: shop
owner: payments
links: {runbook: "$LURE/runbook", dashboard: "$LURE/dashboard", repository: "$LURE/repository"}
slos:
  - name: availability
    description: Orders are answered.
    objective: 99.9
    by: [route]
    sli: {events: {total: 'http_requests_total{job="shop"}', bad: 'http_requests_total{job="shop",code="500"}'}}
---
version: slowburn/v1
service: bank
links: {runbook: "$LURE/runbook", dashboard: "$LURE/dashboard", repository: "$LURE/repository"}
slos:
  - name: availability
    objective: 99
    sli: {events: {total: 'http_requests_total{job="shop"}', bad: 'http_requests_total{job="shop",code="nothing"}'}}
`

// plans are the castles by name.
var plans = map[string]plan{
	// bank asks for tokens to write, and lets everybody on this machine read.
	"bank": {files: merged(secretFiles, map[string]string{"slowburn.yaml": bankConfig, "slos/shop.yaml": bankSLOs, "corrections/none.yaml": "version: slowburn/v1\ncorrections: []\n", "postmortems/.keep": ""})},
	// vault asks for a password or a token to read, too, over TLS.
	"vault": {
		files: merged(secretFiles, map[string]string{
			"slowburn.yaml": bankConfig, "slos/shop.yaml": bankSLOs, "corrections/none.yaml": "version: slowburn/v1\ncorrections: []\n", "postmortems/.keep": "",
			"client.yaml": "tls_config: {insecure_skip_verify: true}\nbasic_auth: {username: reader, password: " + password + "}\n",
		}),
		flags:   []string{"--web.config.file=web.yaml"},
		prepare: guardVault,
	},
	// pair asks for two people where one could do harm.
	"pair": {files: merged(secretFiles, map[string]string{
		"slowburn.yaml":  strings.Replace(strings.Replace(bankConfig, "policy: {", "policy: {four_eyes: [override, exempt, classify], ", 1), "postmortems: {path: postmortems/}\n", "", 1) + "    - {name: deputy, file: secrets/deputy, may: [read, override]}\n    - {name: shop, file: secrets/shop, may: [override], services: [shop]}\n",
		"slos/shop.yaml": bankSLOs, "corrections/none.yaml": "version: slowburn/v1\ncorrections: []\n",
	})},
	// bare has nothing configured that proves who somebody is.
	"bare": {files: map[string]string{"slowburn.yaml": `prometheus: {url: "$PROMETHEUS"}` + "\nslos: [slos/]\n", "slos/shop.yaml": bankSLOs}},
	// siege reads from servers that do harm, beside one that works.
	"siege": {files: siegeFiles(), prometheus: siege},
}

// merged returns what is in any of the maps; what a later one has counts.
func merged[T any](some ...map[string]T) map[string]T {
	all := map[string]T{}
	for _, m := range some {
		maps.Copy(all, m)
	}
	return all
}

// guardVault writes the certificate and the password of the vault.
func guardVault(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vault"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"cert.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		"key.pem":  string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})),
		"web.yaml": "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {reader: " + passwordHash + "}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// hostile is text that wants to be more than text, as a label, a name or a note of somebody may be.
var hostile = []string{
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `"><svg onload=alert(1)>`, `</script><script>alert(1)</script>`, `javascript:alert(1)`, `data:text/html,<b>`, `slack://x`,
	`<!channel>`, `<!here|x>`, `<@U0EVIL>`, `<!subteam^S1>`, `<https://evil.example|Runbook>`, `&lt;!channel&gt;`, "`code` <https://evil.example|x>", `*RESOLVED* ~all~ _is_ well`, `@here #general`, `<https://a|b>c|d>`,
	`=HYPERLINK("http://evil.example","x")`, `x;=cmd|' /C calc'!A0`, `+1+1`, `@SUM(1)`, "x\t=1+1", `{{ .Secret }}`, `{{ call }}`, `| a | b |`, `---`, `[x](javascript:alert(1))`, `![x](http://evil.example/x.png)`,
	`"} or vector(1) or x{a="`, `\`, `\"`, `.*`, strings.Repeat("界", 2500),
}

// unshowable is text that steers whoever shows it; acts with it are refused, metrics have it.
var unshowable = []string{
	"\x1b]0;title\x07\x1b[2J", "\u009b2J", "\u202eright to left", "\u2066isolated", "a\u200bb", "nul\x00", "a\r\n2026-11-29 09:00:00  Ada Lovelace  slack  override evil approved", "line\n*RESOLVED*",
}

// shopDays is how much history the hostile shop has.
const shopDays = 2

// hostileShop makes a Prometheus that holds a shop with a route for each hostile text, which has
// failed for an hour.
func hostileShop() http.Handler {
	started := time.Now()
	// By its clock a minute is over in five seconds, for which the daemon waits before it decides.
	// It is so far ahead that the daemon goes by it and not by its own.
	ahead := started.Truncate(time.Minute).Add(2*time.Minute - 5*time.Second).Sub(started)
	clock := func() time.Time { return time.Now().Add(ahead) }
	db := promfake.New(promfake.Options{Now: clock})
	now := clock().Truncate(time.Minute)
	routes := append(append([]string{"/pay"}, hostile...), unshowable...)
	for _, route := range routes {
		good := db.Series(labels.FromStrings("__name__", "http_requests_total", "job", "shop", "code", "200", "route", route))
		bad := db.Series(labels.FromStrings("__name__", "http_requests_total", "job", "shop", "code", "500", "route", route))
		n, m := 0.0, 0.0
		for at := now.AddDate(0, 0, -shopDays); at.Before(now.Add(30 * time.Minute)); at = at.Add(30 * time.Second) {
			failed := 0.0
			if at.After(now.Add(-time.Hour)) {
				failed = 20
			}
			n, m = n+100-failed, m+failed
			_ = good.Append(at.UnixMilli(), n)
			_ = bad.Append(at.UnixMilli(), m)
		}
	}
	return db.Handler()
}

// siegeFiles writes an SLO for each way in which a server does harm.
func siegeFiles() map[string]string {
	config, files := "prometheus: {url: \"$PROMETHEUS\", timeout: 3s}\nslos: [slos/]\n", map[string]string{}
	var slos strings.Builder
	slos.WriteString(bankSLOs)
	for n, harm := range harms {
		fmt.Fprintf(&slos, "---\nversion: slowburn/v1\nservice: harm-%d\nslos:\n  - name: availability\n    description: %q\n    objective: 99\n    sli: {events: {total: 'harm_%d_total', bad: 'harm_%d_total{code=\"500\"}'}}\n", n, harm.name, n, n)
	}
	files["slowburn.yaml"], files["slos/shop.yaml"] = config, slos.String()
	return files
}
