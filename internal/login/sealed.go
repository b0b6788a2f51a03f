package login

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// sealer makes texts that nobody else can read or make: AES-256-GCM under keys that follow from
// secrets. It seals by the first, and opens by any.
type sealer []cipher.AEAD

func newSealer(secrets []string, about string) (s sealer) {
	for _, secret := range secrets {
		key, err := hkdf.Key(sha256.New, []byte(secret), []byte(about), "slowburn cookies", 32)
		if err != nil {
			panic(err) // only for a length that the hash cannot make
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			panic(err) // only for a wrong length of the key
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			panic(err) // only for a wrong size of the block
		}
		s = append(s, aead)
	}
	return s
}

// seal returns a value as text that is good for one kind of cookie only.
func (s sealer) seal(kind string, value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // our own structs
	}
	nonce := make([]byte, s[0].NonceSize())
	_, _ = rand.Read(nonce) // it never fails
	return base64.RawURLEncoding.EncodeToString(s[0].Seal(nonce, nonce, text, []byte(kind)))
}

// open reads what seal has made of the same kind.
func (s sealer) open(kind, sealed string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return false
	}
	for _, aead := range s {
		if len(raw) < aead.NonceSize() {
			return false
		}
		if text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], []byte(kind)); err == nil {
			return json.Unmarshal(text, into) == nil
		}
	}
	return false
}
