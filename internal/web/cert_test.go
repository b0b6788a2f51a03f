package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	t     *testing.T
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	roots *x509.CertPool
	dir   string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, roots: x509.NewCertPool(), dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	must(t, err)
	a.cert, err = x509.ParseCertificate(der)
	must(t, err)
	a.roots.AddCert(a.cert)
	must(t, os.WriteFile(filepath.Join(a.dir, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return a
}

// sign makes a certificate for a name, of servers and of clients.
func (a *authority) sign(name string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, a.cert, &key.PublicKey, a.key)
	must(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// client makes a certificate of a client.
func (a *authority) client(name string) *tls.Certificate {
	c := a.sign(name)
	return &c
}

// webConfig is a web configuration with TLS that asks clients for a certificate, and more.
func (a *authority) webConfig(asks, more string) string {
	c := a.sign("slowburn")
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	must(a.t, err)
	must(a.t, os.WriteFile(filepath.Join(a.dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600))
	must(a.t, os.WriteFile(filepath.Join(a.dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	f, err := os.CreateTemp(a.dir, "web*.yml")
	must(a.t, err)
	_, err = fmt.Fprintf(f, "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: %s, client_ca_file: ca.pem}\n%s", asks, more)
	must(a.t, err)
	must(a.t, f.Close())
	return f.Name()
}
