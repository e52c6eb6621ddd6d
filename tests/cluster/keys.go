package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// keys are those of a cluster. The fields are paths of files, other than authority.
type keys struct {
	authority                  []byte // the certificate that clients trust, as PEM
	authorityFile              string
	certificate, key           string // of the API server
	accountPrivate, accountPub string // they sign and verify the tokens of service accounts
}

// newKeys creates keys for an API server with some addresses.
func newKeys(dir string, addresses ...netip.Addr) (*keys, error) {
	k := &keys{
		authorityFile: filepath.Join(dir, "ca.crt"),
		certificate:   filepath.Join(dir, "api.crt"), key: filepath.Join(dir, "api.key"),
		accountPrivate: filepath.Join(dir, "account.key"), accountPub: filepath.Join(dir, "account.pub"),
	}
	begin := time.Now().Add(-time.Hour)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cluster"},
		NotBefore: begin, NotAfter: begin.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	api := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "kube-apiserver"},
		NotBefore: begin, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
	}
	for _, a := range addresses {
		api.IPAddresses = append(api.IPAddresses, net.IP(a.AsSlice()))
	}
	rootKey, err1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	apiKey, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	accountKey, err3 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	apiDER, err1 := x509.CreateCertificate(rand.Reader, api, root, apiKey.Public(), rootKey)
	apiKeyDER, err2 := x509.MarshalECPrivateKey(apiKey)
	privateDER, err3 := x509.MarshalECPrivateKey(accountKey)
	publicDER, err4 := x509.MarshalPKIXPublicKey(accountKey.Public())
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	k.authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	for _, file := range []struct {
		path, kind string
		der        []byte
	}{
		{k.authorityFile, "CERTIFICATE", rootDER},
		{k.certificate, "CERTIFICATE", apiDER},
		{k.key, "EC PRIVATE KEY", apiKeyDER},
		{k.accountPrivate, "EC PRIVATE KEY", privateDER},
		{k.accountPub, "PUBLIC KEY", publicDER},
	} {
		text := pem.EncodeToMemory(&pem.Block{Type: file.kind, Bytes: file.der})
		if err := os.WriteFile(file.path, text, 0o600); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// kubeconfig returns the file with which a client reaches the API.
func kubeconfig(api string, authority []byte, token string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: test, user: {token: %s}}]
`, api, base64.StdEncoding.EncodeToString(authority), token)
}
