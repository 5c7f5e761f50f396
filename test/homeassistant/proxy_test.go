//go:build cgo

package homeassistant

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// logIn passes connections on to a broker, each with a user and a password in its CONNECT: the check of Home Assistant
// knows brokers without passwords alone.
func logIn(t *testing.T, listen, broker, user, password string) {
	t.Helper()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { pass(client, broker, user, password) })
		}
	})
}

// pass passes one connection on until one side ends it.
func pass(client net.Conn, broker, user, password string) {
	defer client.Close()
	server, err := net.DialTimeout("tcp", broker, 5*time.Second)
	if err != nil {
		return // the node is stopped
	}
	defer server.Close()
	reader := bufio.NewReader(client)
	connect, err := withUser(reader, user, password)
	if err != nil {
		return
	}
	if _, err := server.Write(connect); err != nil {
		return
	}
	done := make(chan struct{}, 2)
	copying := func(to net.Conn, from io.Reader) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go copying(server, reader)
	go copying(client, server)
	<-done
}

// withUser reads a CONNECT (MQTT 3.1.1 and 5, 3.1) and returns it with a user and a password, which are its last fields.
func withUser(r *bufio.Reader, user, password string) ([]byte, error) {
	kind, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	length, err := binary.ReadUvarint(r) // the same form as MQTT's
	if err != nil || kind != 0x10 || length < 10 || length > 1<<16 {
		return nil, errors.New("no CONNECT")
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	flags := 2 + int(binary.BigEndian.Uint16(body)) + 1 // behind the protocol's name and level
	if flags >= len(body) || body[flags]&0xc0 != 0 {
		return nil, errors.New("a CONNECT with a user, or none")
	}
	body[flags] |= 0xc0
	for _, field := range []string{user, password} {
		body = append(binary.BigEndian.AppendUint16(body, uint16(len(field))), field...)
	}
	return append(binary.AppendUvarint([]byte{kind}, uint64(len(body))), body...), nil
}
