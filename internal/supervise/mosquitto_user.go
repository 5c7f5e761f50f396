package supervise

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// brokerUser is our MQTT user on a private mosquitto, without limits by its ACL. It does not change: mosquitto's stored
// sessions belong to the user who began them.
type brokerUser struct{ name, password string }

// loadBrokerUser reads the user from a file in dir, or creates one.
func loadBrokerUser(dir string) (brokerUser, error) {
	path := filepath.Join(dir, "user")
	text, err := os.ReadFile(path)
	if err == nil {
		if name, password, ok := strings.Cut(strings.TrimSpace(string(text)), ":"); ok && name != "" && password != "" {
			return brokerUser{name, password}, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return brokerUser{}, err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	// The name is a secret, too: without passwords, mosquitto accepts any name.
	user := brokerUser{"edgelens-" + hex.EncodeToString(random[:16]), hex.EncodeToString(random[16:])}
	return user, os.WriteFile(path, []byte(user.name+":"+user.password+"\n"), 0o600)
}

// clientSecret is the secret part of our client ids, so that no other client can use one: the broker would end our
// session and give its messages to the other. It is derived from the password, without revealing it.
func (u brokerUser) clientSecret() string {
	sum := sha256.Sum256([]byte("client id of " + u.name + ":" + u.password))
	return hex.EncodeToString(sum[:12])
}

// formerName is a file that exists once the session with the guessable client id has been emptied.
const formerName = "former-session-emptied"

// The parameters of mosquitto_passwd 2.0.
const (
	passwordIterations = 101
	passwordSalt       = 12
	passwordKey        = 64
)

// passwordLine is the user's line in a password file of mosquitto 2.0: PBKDF2
// with SHA-512, as mosquitto_passwd writes it.
func (u brokerUser) passwordLine() (string, error) {
	var salt [passwordSalt]byte
	_, _ = rand.Read(salt[:]) // never fails
	key, err := pbkdf2.Key(sha512.New, u.password, salt[:], passwordIterations, passwordKey)
	if err != nil {
		return "", err
	}
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s:$7$%d$%s$%s\n", u.name, passwordIterations, encode(salt[:]), encode(key)), nil
}

// rule allows the user everything.
func (u brokerUser) rule() string {
	return "\nuser " + u.name + "\ntopic readwrite #\ntopic read $SYS/#\n" // "#" leaves $SYS out
}
