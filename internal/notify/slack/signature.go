package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// What comes in over HTTP is believed only if Slack signed it: a MAC over the time and the raw
// body, with a secret that the app and Slack share. The check is our own because it decides who may
// silence a page: it takes one header of each name, one spelling of each value, and nothing before
// the MAC is right is parsed at all.

const (
	headerSignature = "X-Slack-Signature"
	headerTimestamp = "X-Slack-Request-Timestamp"
	// signatureAge is how far the request's time may be from ours, to either side.
	signatureAge = 5 * time.Minute
)

// plainDigits is a time as Slack writes it: no sign, no space, no exponent, ASCII.
var plainDigits = regexp.MustCompile(`^[1-9][0-9]{0,11}$`)

// verify reports whether the body was signed, with one of the secrets and not long ago. During a
// rotation there are two secrets; empty ones never count.
func verify(secrets []Secret, h http.Header, body []byte, now time.Time) bool {
	stamps, signatures := h.Values(headerTimestamp), h.Values(headerSignature)
	if len(stamps) != 1 || len(signatures) != 1 || !plainDigits.MatchString(stamps[0]) {
		return false
	}
	seconds, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil {
		return false
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > signatureAge || age < -signatureAge {
		return false
	}
	good := false
	for _, secret := range secrets {
		if secret != "" && hmac.Equal([]byte(sign(secret, stamps[0], body)), []byte(signatures[0])) {
			good = true
		}
	}
	return good
}

// sign returns Slack's signature of a body at a time, version 0.
func sign(secret Secret, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}
