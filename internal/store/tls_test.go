package store

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slowburn-sre/slowburn/internal/store/pgtest"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, key: got(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der := got(x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key))(t)
	a.cert = got(x509.ParseCertificate(der))(t)
	return a
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// sign makes a certificate and its key, for a user by name or for a server.
func (a *authority) sign(name string, until time.Time, ips []net.IP, hosts ...string) (cert, key []byte) {
	a.t.Helper()
	own := got(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(a.t)
	der := got(x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
		IPAddresses: ips, DNSNames: hosts, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, &own.PublicKey, a.key))(a.t)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: got(x509.MarshalECPrivateKey(own))(a.t)})
}

// secured starts a server that is asked by TLS alone, by who has a certificate of the authority.
func secured(t *testing.T, clients *authority, cert, key []byte) *pgtest.Server {
	t.Helper()
	dir := pgtest.Files(t, map[string][]byte{
		"server.crt": cert, "server.key": key, "ca.crt": clients.pem(), "hba.conf": []byte("local all all trust\nhostssl all all 127.0.0.1/32 cert\n"),
	})
	return pgtest.Start(t, "ssl=on", "ssl_cert_file="+dir+"/server.crt", "ssl_key_file="+dir+"/server.key", "ssl_ca_file="+dir+"/ca.crt", "hba_file="+dir+"/hba.conf")
}

// TestTLS opens the store over TLS, with a certificate on both sides; every connection is
// protected. Whatever is wrong with a certificate, or a server without TLS, the error says what to
// do.
func TestTLS(t *testing.T) {
	ours, others, alike := newAuthority(t, "ours"), newAuthority(t, "others"), newAuthority(t, "ours")
	loopback, tomorrow := []net.IP{net.IPv4(127, 0, 0, 1)}, time.Now().Add(24*time.Hour)
	user, userKey := ours.sign("slowburn", tomorrow, nil)
	stranger, strangerKey := others.sign("slowburn", tomorrow, nil)
	forged, forgedKey := alike.sign("slowburn", tomorrow, nil)
	files := pgtest.Files(t, map[string][]byte{
		"ours": ours.pem(), "others": others.pem(), "user": user, "user.key": userKey, "stranger": stranger, "stranger.key": strangerKey,
		"forged": forged, "forged.key": forgedKey,
	})
	cert, key := ours.sign("db", tomorrow, loopback)
	server := secured(t, ours, cert, key)
	cert, key = ours.sign("db", tomorrow, nil, "db.example.com")
	elsewhere := secured(t, ours, cert, key)
	cert, key = ours.sign("db", time.Now().Add(-time.Minute), loopback)
	expired := secured(t, ours, cert, key)
	plain := pgtest.Shared(t)
	at := func(s *pgtest.Server, settings ...string) string {
		query := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {files + "/ours"}, "sslcert": {files + "/user"}, "sslkey": {files + "/user.key"}}
		for _, s := range settings {
			name, value, _ := strings.Cut(s, "=")
			query.Set(name, value)
			if value == "" {
				query.Del(name)
			}
		}
		return fmt.Sprintf("postgres://slowburn@127.0.0.1:%d/postgres?%s", s.Port, query.Encode())
	}

	db := mustLead(t, at(server))
	fill(t, db, 0, 1)
	got(db.Load(background))(t)
	var all, safe int
	must(t, db.r.QueryRowContext(background, `select count(*), count(*) filter (where ssl and client_dn = '/CN=slowburn')
		from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'slowburn'`).Scan(&all, &safe))
	if all < 4 || safe != all {
		t.Errorf("%d of %d connections are protected", safe, all)
	}

	for _, c := range []struct {
		name, address, says, hint string
	}{
		{"signed by somebody else", at(server, "sslrootcert="+files+"/others"), "certificate signed by unknown authority", hintAuthority},
		{"not signed by whom the system knows", at(server, "sslrootcert="), "certificate signed by unknown authority", hintAuthority},
		{"the certificate of another server", at(elsewhere), "doesn't contain any IP SANs", hintHostName},
		{"expired", at(expired), "certificate has expired", hintCertificate},
		{"a server without TLS", at(plain), "server refused TLS connection", hintNoTLS},
		{"no certificate of ours", at(server, "sslcert=", "sslkey="), "connection requires a valid client certificate", hintOurs},
		{"a certificate that the server does not know", at(server, "sslcert="+files+"/stranger", "sslkey="+files+"/stranger.key"), "connection requires a valid client certificate", hintOurs},
		{"a certificate that the server does not believe", at(server, "sslcert="+files+"/forged", "sslkey="+files+"/forged.key"), "failed to ", hintOurs}, // the reason, or that it has hung up
		{"no file of who signed", at(server, "sslrootcert="+files+"/nothing"), "no such file", hintFiles},
		{"no certificate file", at(server, "sslcert="+files+"/nothing"), "no such file", hintFiles},
		{"what is no certificate", at(server, "sslrootcert="+filepath.Join(files, "user.key")), "unable to add CA to cert pool", hintFiles},
		{"without TLS", at(server, "sslmode=disable", "sslrootcert=", "sslcert=", "sslkey="), "no pg_hba.conf entry", hintLogin},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := OpenPostgres(background, c.address, Options{})
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasSuffix(err.Error(), "("+c.hint+")") {
				t.Errorf("%v, want %q and %q", err, c.says, c.hint)
			}
		})
	}
}
